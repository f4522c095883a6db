"""A server for each algorithm: its tokens verify by what it publishes, with a library of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from oauth_server.keys import creation
from oauth_server.models import Algorithm
from tests.server.process import Site, serving
from tests.server.test_token import basic


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_tokens_verify_with_the_published_keys(
    tmp_path: Path, site: Site, algorithm: Algorithm
) -> None:
    creation.init(tmp_path / "keys", algorithm)
    settings = {
        "keys_directory": str(tmp_path / "keys"), "signing": {"algorithm": algorithm.value}
    }  # fmt: skip
    with serving(tmp_path, site, **settings) as server, server.client() as http:
        form = {"grant_type": "client_credentials"}
        token = http.post("/token", data=form, headers=basic()).json()["access_token"]
        published = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
        found = jwt.decode(token, published, algorithms=[algorithm.value])
        assert found.header["alg"] == algorithm.value
        assert found.claims["client_id"] == "gateway_01"
        answer = http.post("/introspect", data={"token": token}, headers=basic())
        assert answer.json()["active"] is True
