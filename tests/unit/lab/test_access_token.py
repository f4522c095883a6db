"""The tour's token is verified, not just shown."""

import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.lab import access_token
from tests.lab.machine import LabError

ISSUER = "https://10.213.0.11"
CLIENT = {"client_id": "lab_gateway", "client_secret": "-", "scope": "telemetry:read"}
KEY = RSAKey.generate_key(2048)
PUBLIC = KEY.as_pem(private=False).decode()


def issued(key: RSAKey = KEY, **claims: Any) -> str:
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": ISSUER,
        "exp": now + 600,
        "iat": now,
        "sub": "lab_gateway",
        "client_id": "lab_gateway",
        "scope": "telemetry:read",
    }
    return jwt.encode({"alg": "RS256", "typ": "at+jwt"}, {**usual, **claims}, key)


@pytest.mark.parametrize("content", [None, "", "{}", "[]"])
def test_a_lab_that_is_described_nowhere_gives_no_token(
    tmp_path: Path, content: str | None
) -> None:
    lab_json = tmp_path / "lab.json"
    if content is not None:
        lab_json.write_text(content)
    with pytest.raises(LabError, match=rf"^{lab_json} .*: bring a lab up with `make lab`"):
        access_token.fetch_verified(lab_json)


def test_a_token_of_the_labs_server_is_shown_with_its_claims() -> None:
    token = access_token.verified(issued(jti="x"), PUBLIC, ISSUER, CLIENT)
    assert (token.header["typ"], token.claims["jti"]) == ("at+jwt", "x")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(issued(key=RSAKey.generate_key(2048)), id="another-key"),
        pytest.param(issued(iss="https://10.213.0.12"), id="another-issuer"),
        pytest.param(issued(aud="https://api.example"), id="another-audience"),
        pytest.param(issued(exp=int(time.time()) - 1), id="expired"),
        pytest.param(issued(client_id="lab_app"), id="another-client"),
        pytest.param(issued(scope="telemetry:write"), id="another-scope"),
        pytest.param(issued(sub="ada"), id="a-users"),
        pytest.param(
            jwt.encode(
                {"alg": "HS256"}, {"iss": ISSUER}, OctKey.generate_key(256), algorithms=["HS256"]
            ),
            id="another-algorithm",
        ),
        pytest.param("no.token", id="no-token"),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(LabError, match=f"the token of {ISSUER} does not verify"):
        access_token.verified(token, PUBLIC, ISSUER, CLIENT)
