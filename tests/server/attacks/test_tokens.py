"""Forged access tokens, shown to the endpoint that says which are good.

All but the first few are signed with the server's own key: only what is said of the rest refuses
them. Most classes are of RFC 8725 and of the JWT labs of PortSwigger's Web Security Academy.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from oauth_server.keys import ring
from oauth_server.keys.jose import PrivateKey
from tests.server.attacks.forging import content, decoded, encoded, signed
from tests.server.process import Server, Site
from tests.server.test_token import basic


@pytest.fixture(scope="module")
def key(site: Site) -> PrivateKey:
    found = ring.load(site.keys).active
    assert isinstance(found, PrivateKey)
    return found


@pytest.fixture
def token(http: httpx.Client) -> str:
    form = {"grant_type": "client_credentials"}
    response = http.post("/token", data=form, headers=basic("gateway_01"))
    return str(response.json()["access_token"])


@pytest.fixture
def header(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decoded(token.split(".")[0]))
    return found


@pytest.fixture
def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return found


def asked(http: httpx.Client, token: str) -> httpx.Response:
    return http.post("/introspect", data={"token": token}, headers=basic("gateway_01"))


def assert_refused(server: Server, http: httpx.Client, token: str, error: str) -> None:
    response = asked(http, token)
    assert (response.status_code, response.json()) == (200, {"active": False})
    request_id = response.headers["x-request-id"]
    (line,) = [line for line in server.log() if line.endswith(f"request_id={request_id}")]
    assert line.split(" ")[2:5] == ["200", error, "introspect"]


def test_what_is_forged_right_is_good(
    http: httpx.Client, key: PrivateKey, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Otherwise the others would be refused for how they are made here."""
    assert asked(http, signed(key, header, claims)).json()["active"] is True
    typ = {**header, "typ": "application/at+jwt"}  # RFC 9068 §4
    assert asked(http, signed(key, typ, claims)).json()["active"] is True


@pytest.mark.parametrize("form", ["pem", "n"])
def test_the_public_key_is_no_hmac_secret(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], form: str,
) -> None:  # fmt: skip
    """Algorithm confusion: RFC 8725 §2.1, CVE-2015-9235, CVE-2016-10555."""
    public = key.public
    secret = public.to_pem() if form == "pem" else decoded(public.to_jwk()["n"])
    start = f"{encoded(content({**header, 'alg': 'HS256'}))}.{encoded(content(claims))}"
    mac = hmac.new(secret, start.encode(), hashlib.sha256).digest()
    assert_refused(server, http, f"{start}.{encoded(mac)}", "token_malformed")


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", None, ["none"]])
@pytest.mark.parametrize("keeps_signature", [True, False], ids=["signature", "no-signature"])
def test_a_token_without_a_signature_is_none(
    server: Server, http: httpx.Client, token: str, header: dict[str, Any], alg: object,
    keeps_signature: bool,
) -> None:  # fmt: skip
    """RFC 8725 §3.2, CVE-2018-1000531 and their spellings."""
    _, claims, signature = token.split(".")
    first = encoded(content({**header, "alg": alg}))
    forged = f"{first}.{claims}.{signature if keeps_signature else ''}"
    assert_refused(server, http, forged, "token_malformed")


@pytest.mark.parametrize("alg", ["PS256", "ES256", "EdDSA"])
def test_a_key_is_for_its_one_algorithm(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], alg: str,
) -> None:  # fmt: skip
    """RFC 8725 §3.1."""
    forged = signed(key, {**header, "alg": alg}, claims)
    assert_refused(server, http, forged, "signature_invalid")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_a_token_does_not_bring_its_own_key(
    server: Server, http: httpx.Client, header: dict[str, Any], claims: dict[str, Any], name: str
) -> None:
    """RFC 8725 §3.10, CVE-2018-0114 (jwk), PortSwigger: jku header injection."""
    attackers = PrivateKey.generate()
    value: object = {
        "jwk": attackers.public.to_jwk(),
        "x5c": [encoded(attackers.public.to_pem())],
    }.get(name, "https://attacker.example/keys")
    for kid in (header["kid"], attackers.public.kid):
        forged = signed(attackers, {**header, "kid": kid, name: value}, claims)
        assert_refused(server, http, forged, "token_malformed")


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"crit": ["exp"], "exp": 1}, id="rfc7515-4.1.11-unknown-crit"),
        pytest.param({"crit": []}, id="rfc7515-4.1.11-empty-crit"),
        pytest.param({"b64": False, "crit": ["b64"]}, id="rfc7797-b64-false"),
        pytest.param({"b64": False}, id="rfc7797-b64-without-crit"),
        pytest.param({"zip": "DEF"}, id="rfc8725-3.6-compression"),
        pytest.param({"cty": "JWT"}, id="rfc7519-5.2-nested"),
        pytest.param({"anything": 1}, id="not-known"),
    ],
)
def test_a_header_says_nothing_that_is_not_understood(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], extra: dict[str, object],
) -> None:  # fmt: skip
    """RFC 7515 §4.1.11, CVE-2025-59420 (Authlib), RFC 8725 §3.6."""
    assert_refused(server, http, signed(key, {**header, **extra}, claims), "token_malformed")


@pytest.mark.parametrize(
    ("kid", "error"),
    [
        ("../../../../dev/null", "signature_invalid"),
        ("active", "signature_invalid"),
        ("' UNION SELECT 'secret' -- ", "signature_invalid"),
        ("$(id)|id", "signature_invalid"),
        ("x\nforged 200 - token", "signature_invalid"),
        ("x" * 257, "token_malformed"),
        ("", "token_malformed"),
        (0, "token_malformed"),
        (None, "token_malformed"),
        (["kid"], "token_malformed"),
    ],
)
def test_a_kid_is_a_name_and_nothing_else(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], kid: object, error: str,
) -> None:  # fmt: skip
    """Traversal and injection by kid: RFC 8725 §3.10, PortSwigger: kid header path traversal."""
    assert_refused(server, http, signed(key, {**header, "kid": kid}, claims), error)


def test_a_kid_of_another_case_or_with_more_is_another(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any],
) -> None:  # fmt: skip
    """RFC 7515 §4.1.4: case-sensitive."""
    for kid in (header["kid"].swapcase(), header["kid"] + "\0", header["kid"][:-1]):
        forged = signed(key, {**header, "kid": kid}, claims)
        assert_refused(server, http, forged, "signature_invalid")


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_header_has_each_member_once(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], name: str,
) -> None:  # fmt: skip
    """Duplicate kids and algs, of which readers take different ones: RFC 7515 §4, RFC 8725 §2.4."""
    twice = json.dumps(header)[:-1] + f", {json.dumps(name)}: {json.dumps(header[name])}}}"
    assert_refused(server, http, signed(key, twice.encode(), claims), "token_malformed")


def test_a_token_has_one_spelling(server: Server, http: httpx.Client, token: str) -> None:
    """RFC 7515 §2; a second spelling passes by a denylist of texts."""
    first, claims, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 512 octets leave two spare bits in the last character.
    slack = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    assert decoded(slack) == decoded(signature)
    for other in (
        f"{first}.{claims}.{slack}",
        f"{first}.{claims}.{signature}==",
        f"{first}.{claims}.{signature}=",
        f"{first}.{claims}.{signature[:-1]}\u00e9",
        f"{first}.{claims}. {signature}",
        f"{first}.{claims[:9]}+{claims[9:]}.{signature}",
        f"{token}.",
        f".{token}",
        f"{first}.{claims}",
        f"{first}..{signature}",
        f"{first}.{claims}.{signature}.x.y",
    ):
        assert_refused(server, http, other, "token_malformed")


def test_a_token_past_8_kb_is_not_looked_at(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any],
) -> None:  # fmt: skip
    """Denial of service by size (CWE-770)."""
    fits = signed(key, header, {**claims, "padding": "x" * 5000})
    assert len(fits) < 8192
    assert asked(http, fits).json()["active"] is True
    exceeds = signed(key, header, {**claims, "padding": "x" * 5800})
    assert len(exceeds) > 8192
    assert_refused(server, http, exceeds, "token_malformed")


def test_a_token_of_8_mb_is_not_even_read(http: httpx.Client) -> None:
    """Denial of service by size (CWE-770)."""
    try:
        response = asked(http, "x" * 8 * 1024 * 1024)
    except httpx.TransportError:
        return  # the server had hung up before all of it was sent
    assert response.status_code == 413


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "AT+JWT", "at+jwt ", "at+JWT", "logout+jwt", "secevent+jwt", None]
)
def test_only_an_access_token_is_one(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], typ: str | None,
) -> None:  # fmt: skip
    """Cross-JWT confusion: RFC 8725 §3.11, §3.12; RFC 9068 §4 wants the typ."""
    others = {name: value for name, value in header.items() if name != "typ"}
    typed = others if typ is None else {**others, "typ": typ}
    assert_refused(server, http, signed(key, typed, claims), "token_typ")


@pytest.mark.parametrize(
    "iss",
    [
        "https://127.0.0.1/",
        "https://127.0.0.1.evil.test",
        "https://127.0.0",
        "HTTPS://127.0.0.1",
        "http://127.0.0.1",
        "https://127.0.0.1\n",
        ["https://127.0.0.1"],
        None,
        1,
    ],
)
def test_an_issuer_is_compared_whole(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], iss: object,
) -> None:  # fmt: skip
    """RFC 8725 §3.8; CVE-2024-53861 (PyJWT compared parts)."""
    assert_refused(server, http, signed(key, header, {**claims, "iss": iss}), "token_issuer")


@pytest.mark.parametrize(
    ("exp", "error"),
    [
        (b"NaN", "token_malformed"),
        (b"Infinity", "token_malformed"),
        (b"-Infinity", "token_malformed"),
        (b"1e400", "token_malformed"),
        (b"9" * 400, "token_malformed"),
        (b'"9999999999"', "token_malformed"),
        (b"9999999999.5", "token_malformed"),
        (b"true", "token_malformed"),
        (b"null", "token_malformed"),
        (b"[9999999999]", "token_malformed"),
        (b"-1", "token_malformed"),
        (b"0", "token_expired"),
    ],
)
def test_an_end_is_a_whole_number_of_seconds(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], exp: bytes, error: str,
) -> None:  # fmt: skip
    """NaN is never past: joserfc before 1.8 accepted it; RFC 7519 §4.1.4, RFC 7493 §2.2."""
    payload = json.dumps({**claims, "exp": 0}).encode().replace(b'"exp": 0', b'"exp": ' + exp)
    assert_refused(server, http, signed(key, header, payload), error)


@pytest.mark.parametrize("name", ["exp", "iat", "aud", "jti", "client_id", "sub"])
def test_a_claim_that_is_required_is_there(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], name: str,
) -> None:  # fmt: skip
    """RFC 9068 §2.2, §4."""
    del claims[name]
    assert_refused(server, http, signed(key, header, claims), "token_malformed")


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_of_tomorrow_is_not_valid_today(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any], name: str,
) -> None:  # fmt: skip
    """RFC 7519 §4.1.5."""
    later = {**claims, name: claims["iat"] + 3600, "exp": claims["exp"] + 7200}
    assert_refused(server, http, signed(key, header, later), "token_not_yet_valid")


def test_claims_are_there_once_and_not_nested_without_end(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any],
    claims: dict[str, Any],
) -> None:  # fmt: skip
    """RFC 8259 §4; a parser that recurses into 5,000 brackets ends the process."""
    twice = json.dumps(claims)[:-1].encode() + b', "sub": "admin"}'
    deep = b'{"a": ' + b"[" * 5000 + b"}"
    surrogate = json.dumps({**claims, "jti": "\ud800"}).encode()
    for payload in (twice, deep, surrogate, b"[]", b"null", b"\xff", b""):
        assert_refused(server, http, signed(key, header, payload), "token_malformed")
