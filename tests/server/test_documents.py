from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from oauth_server.keys import ring
from tests.server.process import Site


def test_the_metadata_is_of_the_issuer_whoever_asks(
    http: httpx.Client, gateway: httpx.Client
) -> None:
    """RFC 8414 §3.3: a Host header must not move the endpoints."""
    path = "/.well-known/oauth-authorization-server"
    document = http.get(path, headers={"Host": "evil.test"}).json()
    assert document["issuer"] == "https://127.0.0.1"
    assert document["token_endpoint"] == "https://127.0.0.1/token"
    assert gateway.get(path).json() == document
    metadata = AuthorizationServerMetadata(document)
    for check in ("issuer", "token_endpoint", "jwks_uri", "grant_types_supported"):
        getattr(metadata, f"validate_{check}")()


def test_every_advertised_url_is_served(http: httpx.Client) -> None:
    document = http.get("/.well-known/oauth-authorization-server").json()
    addresses = {
        name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))
    }
    assert sorted(addresses) == [
        "authorization_endpoint", "introspection_endpoint", "jwks_uri", "revocation_endpoint",
        "token_endpoint",
    ]  # fmt: skip
    for url in addresses.values():
        # 400: an authorization request without parameters; 405: it takes a POST.
        assert http.get(httpx.URL(url).path).status_code in {200, 400, 405}


def test_the_keys_are_those_of_the_ring(http: httpx.Client, site: Site) -> None:
    """The one that signs, and the one that will."""
    keys = http.get("/.well-known/jwks.json").json()["keys"]
    assert {key["kid"] for key in keys} == {path.name for path in ring.entries(site.keys / "ring")}
    assert len(keys) == 2
    for key in keys:
        assert (key["use"], key["alg"], key["kty"]) == ("sig", "RS256", "RSA")
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}


@pytest.mark.parametrize("path", ["oauth-authorization-server", "jwks.json"])
def test_documents_may_be_cached_for_a_while(http: httpx.Client, path: str) -> None:
    response = http.get(f"/.well-known/{path}")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["content-type"] == "application/json"
    assert http.head(f"/.well-known/{path}").status_code == 200
    assert http.post(f"/.well-known/{path}").status_code == 405


def test_curl_believes_the_answers(site: Site, http: httpx.Client, tmp_path: Path) -> None:
    """Somebody else's HTTP."""
    url = f"https://127.0.0.1:{http.base_url.port}/.well-known/jwks.json"
    command = [
        "curl",
        "-sS",
        "--fail",
        "--cacert",
        str(site.certificate),
        "-o",
        str(tmp_path / "x"),
    ]
    subprocess.run([*command, url], check=True, timeout=20)
    assert (tmp_path / "x").read_bytes() == http.get("/.well-known/jwks.json").content
