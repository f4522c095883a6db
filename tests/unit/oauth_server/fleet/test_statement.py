from __future__ import annotations

import json
from typing import Any

import pytest

from oauth_server.fleet import statement
from oauth_server.fleet.statement import Statement, StatementError
from oauth_server.keys.jose import PrivateKey, compact
from oauth_server.models import Algorithm
from oauth_server.protocol import base64url
from oauth_server.store.interface import STATEMENT_LENGTH
from tests.unit.oauth_server.fleet.hosts import DAY, HOUR, ISSUER, NOW, SECOND, Host, key

HOST = Host("auth-1")


def read(text: str, host: Host = HOST, **changes: Any) -> Statement:
    wanted: dict[str, Any] = {"host": host.name, "issuer": ISSUER, "now": NOW, **changes}
    return statement.read(text, host.identity.public, **wanted)


def reason(text: str, **changes: Any) -> str:
    with pytest.raises(StatementError) as refused:
        read(text, **changes)
    return refused.value.reason


def signed(changes: dict[str, Any], typ: str = statement.TYP, by: PrivateKey | None = None) -> str:
    """With other claims than a host would sign."""
    _, claims, _ = HOST.says().split(".")
    content = {**json.loads(base64url.decode(claims)), **changes}
    return (by or HOST.identity).sign(typ, {n: v for n, v in content.items() if v is not None})


def test_what_a_host_says_is_what_the_others_read() -> None:
    said = read(HOST.says(serves=("other",)))
    assert (said.host, said.issuer, said.issued) == ("auth-1", ISSUER, int(NOW.timestamp()))
    assert [public.to_jwk() for public in said.keys] == [public.to_jwk() for public in HOST.keys]
    assert said.serves == {"other", *HOST.kids}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_ring_may_have_keys_of_any_algorithm(algorithm: Algorithm) -> None:
    host = Host("auth-1", HOST.identity, [key(algorithm)])
    (found,) = read(host.says()).keys
    assert (found.kid, found.algorithm) == (host.keys[0].kid, algorithm)


def test_the_sequence_grows_even_if_the_clock_stands_or_goes_back() -> None:
    first = statement.sequence(NOW)
    assert first == int(NOW.timestamp()) * 1000
    assert statement.sequence(NOW, first) == first + 1
    assert statement.sequence(NOW - DAY, first) == first + 1


def test_another_hosts_statement_is_not_this_ones() -> None:
    """Whoever writes to the store can put one host's words where another's belong."""
    other = Host("auth-2", HOST.identity)
    assert reason(other.says()) == "host"


def test_a_member_cannot_speak_for_another() -> None:
    forger = Host("auth-1")
    assert reason(forger.says()) == "identity"


def test_a_forged_signature_is_refused() -> None:
    """With the right kid, and somebody else's signature."""
    forger = PrivateKey.generate(Algorithm.EDDSA)
    text = HOST.says()
    content = text.rpartition(".")[0].encode()
    assert reason(compact(content, forger.signature(content))) == "signature"


def test_another_issuers_statement_is_refused() -> None:
    """The same hosts may serve two."""
    assert reason(HOST.says(issuer="https://other.example.com")) == "issuer"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_stolen_signing_key_cannot_make_a_statement(algorithm: Algorithm) -> None:
    assert reason(signed({}, by=PrivateKey.generate(algorithm))) == "identity"


@pytest.mark.parametrize(
    "typ", ["at+jwt", "JWT", "portcullis-fleet+JWT", "client-authentication+jwt"]
)
def test_no_other_kind_of_token_is_a_statement(typ: str) -> None:
    """RFC 8725 §3.11."""
    assert reason(signed({}, typ=typ)) == "typ"


def test_a_statement_is_heard_for_a_day() -> None:
    text = HOST.says()
    assert read(text, now=NOW + DAY - SECOND).host == "auth-1"
    assert reason(text, now=NOW + DAY) == "expired"
    assert read(text, now=NOW + DAY, leeway=SECOND).host == "auth-1"
    assert reason(text, now=NOW - SECOND) == "not_yet_valid"
    assert read(text, now=NOW - SECOND, leeway=SECOND).host == "auth-1"


def test_what_was_believed_before_is_read_without_a_clock() -> None:
    assert read(HOST.says(), now=None).host == "auth-1"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seq": None}, "malformed"),
        ({"seq": -1}, "malformed"),
        ({"seq": 1.5}, "malformed"),
        ({"seq": True}, "malformed"),
        ({"seq": 10**16}, "malformed"),
        ({"exp": None}, "malformed"),
        ({"iat": "now"}, "malformed"),
        ({"more": 1}, "malformed"),
        ({"iss": ["auth-1"]}, "host"),
        ({"aud": [ISSUER]}, "issuer"),
        ({"keys": {}}, "keys"),
        ({"keys": [[]]}, "keys"),
        ({"keys": [key().to_jwk()] * 2}, "keys"),
        ({"keys": [key().to_jwk() for _ in range(33)]}, "keys"),
        ({"keys": [{**key().to_jwk(), "kid": key().kid}]}, "keys"),
        ({"keys": [{n: v for n, v in key().to_jwk().items() if n != "alg"}]}, "keys"),
        ({"keys": [{**key().to_jwk(), "d": "AAAA"}]}, "keys"),
        ({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x", "alg": "HS256"}]}, "keys"),
        ({"keys": [{**key().to_jwk(), "x5u": "https://x.example"}]}, "keys"),
        ({"serves": {}}, "serves"),
        ({"serves": [""]}, "serves"),
        ({"serves": [1]}, "serves"),
        ({"serves": ["k" * 65]}, "serves"),
        ({"serves": [str(number) for number in range(1025)]}, "serves"),
    ],
)  # fmt: skip
def test_whatever_else_an_identity_signs_is_refused(changes: dict[str, Any], why: str) -> None:
    """A member that was broken into is still held to the form."""
    assert reason(signed(changes)) == why


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "\x00", "ü.ü.ü", "a" * (STATEMENT_LENGTH + 1), "..", "e30.e30.e30"]
)
def test_junk_is_refused(text: str) -> None:
    assert reason(text) == "malformed"


def test_a_weak_key_is_refused() -> None:
    weak = {
        "kty": "RSA",
        "n": base64url.encode(b"\xff" * 128),
        "e": "AQAB",
        "kid": "x",
        "alg": "RS256",
    }
    assert reason(signed({"keys": [weak]})) == "keys"


def test_an_old_statement_is_not_heard_again_tomorrow() -> None:
    assert reason(HOST.says(at=NOW - DAY - HOUR)) == "expired"
