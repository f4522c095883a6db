"""One ring, one certificate and one server for all tests that don't need their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oauth_server import passwords
from oauth_server.keys import creation
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from oauth_server.protocol import client_secret
from tests.server.process import Server, Site, serving

SECRET = "a secret of: 100% + more"
URL_SAFE_SECRET = client_secret.generate()
SCOPE = "telemetry:read telemetry:write"


def _entry(client_id: str, **changes: object) -> dict[str, object]:
    entry = {
        "client_id": client_id,
        "grant_types": ["client_credentials"],
        "scope": SCOPE,
        "token_endpoint_auth_method": "client_secret_basic",
        "client_secret_hash": client_secret.digest(SECRET),
        **changes,
    }
    return {name: value for name, value in entry.items() if value is not None}


DEVICE_KEY = PrivateKey.generate(Algorithm.ES256)
"""Of the client `device`, which authenticates by private_key_jwt."""

CLIENTS = [
    _entry("gateway_01"),
    _entry("machine", client_secret_hash=client_secret.digest(URL_SAFE_SECRET)),
    _entry(
        "device", token_endpoint_auth_method="private_key_jwt", client_secret_hash=None,
        jwks={"keys": [DEVICE_KEY.public.to_jwk()]},
    ),
    _entry("api", resource="https://api.example.com"),
    _entry("poster", token_endpoint_auth_method="client_secret_post"),
    _entry("narrow", scope="telemetry:read", audience=["https://api.example.com"]),
    _entry(
        "web", grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://web.example.com/callback"], client_name="Weather Map",
    ),
    _entry(
        "portal", grant_types=["authorization_code"],
        redirect_uris=["https://portal.example.com/in?tenant=7&lang=en", "https://b.example.com/"],
        audience=["https://api.example.com", "https://other.example.com"],
    ),
    _entry(
        "app", grant_types=["authorization_code"], token_endpoint_auth_method="none",
        client_secret_hash=None, redirect_uris=["http://127.0.0.1/callback"],
        client_name="Field Notes",
    ),
    _entry(
        "spa", grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none", client_secret_hash=None,
        redirect_uris=["http://127.0.0.1/callback"],
    ),
]  # fmt: skip


PASSWORD = "correct horse battery"
USERS = ("alice", "bob", "carol", "dave", "erin", "frank")
"""All with PASSWORD; `gone` is disabled."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    creation.init(directory / "keys")
    clients = directory / "clients.json"
    clients.write_text(json.dumps({"clients": CLIENTS}))
    users = directory / "users.json"
    users.write_text(json.dumps({"users": _users()}))
    return Site(directory / "keys", *_certificate(directory), clients, users)


def _users() -> list[dict[str, object]]:
    password_hash = passwords.make_hash(PASSWORD)
    return [
        {"username": name, "password_hash": password_hash, "disabled": name == "gone"}
        for name in (*USERS, "gone")
    ]


def _certificate(
    directory: Path, address: str = "127.0.0.1", lifetime: timedelta = timedelta(days=1)
) -> tuple[Path, Path]:
    """Of this address, an hour old, until `lifetime` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "server.pem", directory / "server.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), site) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def gateway(server: Server) -> Iterator[httpx.Client]:
    with server.gateway() as client:
        yield client
