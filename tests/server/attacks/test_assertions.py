"""Assertions of `private_key_jwt` that prove nothing (RFC 7523 §3)."""

from __future__ import annotations

import hmac
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from oauth_server.protocol.assertion import TYPE
from tests.server.attacks.forging import content, encoded, signed
from tests.server.conftest import DEVICE_KEY, SECRET
from tests.server.process import Server, Site, serving
from tests.server.test_token import basic

ISSUER = "https://127.0.0.1"
HEADER = {"alg": "ES256", "kid": DEVICE_KEY.public.kid}
STRANGER = PrivateKey.generate(Algorithm.ES256)
EVIL = "https://attacker.example/keys"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (FIPS 186-4 D.1.2.3)."""


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    found = {
        "iss": "device", "sub": "device", "aud": ISSUER, "iat": now, "exp": now + 60,
        "jti": secrets.token_urlsafe(16), **changes,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def sent(
    http: httpx.Client, assertion: str, headers: dict[str, str] | None = None, **more: str
) -> httpx.Response:
    form = {
        "grant_type": "client_credentials", "client_assertion_type": TYPE,
        "client_assertion": assertion, **more,
    }  # fmt: skip
    return http.post("/token", data=form, headers=headers)


def assert_refused(server: Server, response: httpx.Response, reason: str) -> None:
    assert response.status_code == 401, response.text
    assert response.json() == {
        "error": "invalid_client",
        "error_description": "Client authentication failed.",
    }
    request_id = response.headers["x-request-id"]
    (line,) = [line for line in server.log() if line.endswith(f"request_id={request_id}")]
    assert f" reason={reason} " in line


def test_a_right_assertion_gets_a_token_once(server: Server, http: httpx.Client) -> None:
    """Assertion replay: RFC 7523 §3, point 7."""
    assertion = signed(DEVICE_KEY, HEADER, claims())
    assert sent(http, assertion).status_code == 200
    assert_refused(server, sent(http, assertion), "assertion_replayed")


@pytest.mark.parametrize(
    "aud",
    [
        [ISSUER],
        [ISSUER, "https://attacker.example"],
        ISSUER + "/token",
        ISSUER + "/",
        "https://127.0.0.1.evil.test",
        "device",
        None,
    ],
)
def test_the_audience_is_the_issuer_and_nothing_else(
    server: Server, http: httpx.Client, aud: object
) -> None:
    """Audience injection: CVE-2025-27370 and CVE-2025-27371."""
    response = sent(http, signed(DEVICE_KEY, HEADER, claims(aud=aud)))
    assert_refused(server, response, "assertion_audience")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"sub": "gateway_01"}, "assertion_subject", id="rfc7523-3-another-subject"),
        pytest.param({"exp": None}, "assertion_malformed", id="rfc7523-3-no-exp"),
        pytest.param({"exp": 10**10}, "assertion_too_long", id="rfc7523-3-exp-far-away"),
        pytest.param({"exp": 1}, "assertion_expired", id="rfc7523-3-expired"),
        pytest.param({"nbf": 10**10}, "assertion_not_yet_valid", id="rfc7523-3-nbf"),
        pytest.param({"iat": 10**10}, "assertion_not_yet_valid", id="rfc7523-3-iat"),
        pytest.param({"jti": None}, "assertion_malformed", id="rfc7523-3-no-jti"),
        pytest.param({"jti": ""}, "assertion_malformed", id="empty-jti"),
        pytest.param({"jti": 5}, "assertion_malformed", id="jti-is-text"),
        pytest.param({"exp": True}, "assertion_malformed", id="exp-is-a-number"),
        pytest.param({"exp": "9999999999"}, "assertion_malformed", id="exp-is-no-text"),
        pytest.param({"exp": float("nan")}, "assertion_malformed", id="rfc7493-2.2-exp-nan"),
        pytest.param({"exp": float("inf")}, "assertion_malformed", id="rfc7493-2.2-exp-infinity"),
        pytest.param({"iss": "nobody", "sub": "nobody"}, "unknown_client", id="unknown"),
        pytest.param(
            {"iss": "gateway_01", "sub": "gateway_01"}, "method_not_registered", id="has-a-secret"
        ),
    ],
)
def test_what_an_assertion_says_must_be_right(
    server: Server, http: httpx.Client, changes: dict[str, Any], reason: str
) -> None:
    """RFC 7523 §3."""
    assert_refused(server, sent(http, signed(DEVICE_KEY, HEADER, claims(**changes))), reason)


def test_another_key_proves_nothing(server: Server, http: httpx.Client) -> None:
    """RFC 7523 §3, point 9."""
    for kid in (DEVICE_KEY.public.kid, STRANGER.public.kid):
        response = sent(http, signed(STRANGER, {**HEADER, "kid": kid}, claims()))
        assert_refused(server, response, "assertion_signature")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param({"alg": "none"}, "assertion_malformed", id="rfc8725-3.2-none"),
        pytest.param(
            {"alg": "nOnE"}, "assertion_malformed", id="cve-2018-1000531-none-in-disguise"
        ),
        pytest.param({"alg": "ES384"}, "assertion_malformed", id="rfc8725-3.1-not-ours"),
        pytest.param({"alg": "RS256"}, "assertion_signature", id="rfc8725-3.1-another-keys"),
        pytest.param(
            {"jwk": STRANGER.public.to_jwk()}, "assertion_malformed", id="cve-2018-0114-jwk"
        ),
        pytest.param({"jku": EVIL}, "assertion_malformed", id="rfc8725-3.10-jku"),
        pytest.param({"x5u": EVIL}, "assertion_malformed", id="rfc8725-3.10-x5u"),
        pytest.param({"x5c": ["MIIB"]}, "assertion_malformed", id="rfc8725-3.10-x5c"),
        pytest.param({"crit": ["exp"]}, "assertion_malformed", id="rfc7515-4.1.11-crit"),
        pytest.param({"b64": False}, "assertion_malformed", id="rfc7797-b64-false"),
        pytest.param({"kid": "../../dev/null"}, "assertion_signature", id="rfc8725-3.10-kid"),
        pytest.param({"kid": None}, "assertion_malformed", id="no-kid"),
    ],
)
@pytest.mark.parametrize("key", [STRANGER, DEVICE_KEY], ids=["strangers-key", "clients-key"])
def test_a_header_proves_nothing(
    server: Server, http: httpx.Client, key: PrivateKey, header: dict[str, Any], reason: str
) -> None:
    """The same attacks as on access tokens, on what a client signs."""
    assert_refused(server, sent(http, signed(key, {**HEADER, **header}, claims())), reason)


def test_the_clients_public_key_is_no_hmac_secret(server: Server, http: httpx.Client) -> None:
    """Algorithm confusion: RFC 8725 §2.1, CVE-2016-10555."""
    start = f"{encoded(content({**HEADER, 'alg': 'HS256'}))}.{encoded(content(claims()))}"
    mac = hmac.digest(DEVICE_KEY.public.to_pem(), start.encode(), "sha256")
    assert_refused(server, sent(http, f"{start}.{encoded(mac)}"), "assertion_malformed")


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(bytes(64), id="cve-2022-21449-zeros"),
        pytest.param(ORDER.to_bytes(32, "big") * 2, id="cve-2022-21449-the-order"),
        pytest.param(bytes(31) + b"\1" + bytes(31) + b"\1", id="ones"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"0\6\2\1\1\2\1\1", id="rfc7518-3.4-asn.1"),
    ],
)
def test_a_signature_that_fits_everything_fits_nothing(
    server: Server, http: httpx.Client, signature: bytes
) -> None:
    """ECDSA with numbers out of their range (CVE-2022-21449, "psychic signatures")."""
    start = f"{encoded(content(HEADER))}.{encoded(content(claims()))}"
    response = sent(http, f"{start}.{encoded(signature)}")
    assert_refused(server, response, "assertion_signature")


def test_a_clock_may_be_off_by_the_leeway_and_no_more(
    http: httpx.Client, tmp_path: Path, site: Site
) -> None:
    """RFC 7519 §4.1.4: "a few minutes" at most; whoever needs none sets none."""
    just_over = int(time.time()) - 5
    assert sent(http, signed(DEVICE_KEY, HEADER, claims(exp=just_over))).status_code == 200
    with serving(tmp_path, site, clock_leeway=0) as strict, strict.client() as other:
        response = sent(other, signed(DEVICE_KEY, HEADER, claims(exp=just_over)))
        assert_refused(strict, response, "assertion_expired")


def test_an_access_token_is_no_assertion(server: Server, http: httpx.Client) -> None:
    """RFC 8725 §3.11."""
    response = sent(http, signed(DEVICE_KEY, {**HEADER, "typ": "at+jwt"}, claims()))
    assert_refused(server, response, "assertion_typ")


def test_an_assertion_of_another_type_is_refused(server: Server, http: httpx.Client) -> None:
    """RFC 7521 §4.2."""
    other = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
    response = sent(http, signed(DEVICE_KEY, HEADER, claims()), client_assertion_type=other)
    assert_refused(server, response, "assertion_type")


def test_two_ways_of_authentication_at_once_are_refused(http: httpx.Client) -> None:
    """RFC 6749 §2.3, RFC 7521 §4.2: whichever a server took, another part may take the other."""
    assertion = signed(DEVICE_KEY, HEADER, claims())
    for response in (
        sent(http, assertion, basic("gateway_01")),
        sent(http, assertion, client_secret=SECRET),
        http.post(
            "/token",
            data={"grant_type": "client_credentials", "client_secret": SECRET},
            headers=basic("gateway_01"),
        ),
    ):
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert sent(http, assertion).status_code == 200  # it was not used up by that


def test_half_an_assertion_is_a_malformed_request(http: httpx.Client) -> None:
    """RFC 7521 §4.2."""
    for form in ({"client_assertion": "x"}, {"client_assertion_type": TYPE}):
        response = http.post("/token", data={"grant_type": "client_credentials", **form})
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_the_client_id_beside_an_assertion_is_the_same(server: Server, http: httpx.Client) -> None:
    """RFC 7521 §4.2."""
    response = sent(http, signed(DEVICE_KEY, HEADER, claims()), client_id="gateway_01")
    assert_refused(server, response, "assertion_subject")
