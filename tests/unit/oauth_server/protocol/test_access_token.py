from __future__ import annotations

from oauth_server.protocol import access_token


def claims(*audience: str) -> dict[str, object]:
    return access_token.claims(
        issuer="https://auth.example.com", subject="gateway_01", audience=audience,
        client_id="gateway_01", scope="a b", jti="id", issued_at=1000,
        expires_in=600,
    )  # fmt: skip


def test_a_token_has_the_claims_of_rfc9068_and_no_others() -> None:
    assert claims("https://api.example.com") == {
        "iss": "https://auth.example.com",
        "sub": "gateway_01",
        "aud": "https://api.example.com",
        "exp": 1600,
        "iat": 1000,
        "jti": "id",
        "client_id": "gateway_01",
        "scope": "a b",
    }


def test_several_audiences_are_a_list() -> None:
    assert claims("a", "b")["aud"] == ["a", "b"]
