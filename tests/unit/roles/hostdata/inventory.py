"""Host data that is right, and ways to get it wrong."""

from __future__ import annotations

from typing import Any

import pytest

from roles.hostdata.check import HostDataError, validate
from roles.hostdata.host import HostData

CLIENT = {
    "client_id": "gateway_01",
    "grant_types": ["client_credentials"],
    "scope": "telemetry:read telemetry:write",
    "token_endpoint_auth_method": "client_secret_basic",
    "client_secret_hash": "sha256:" + "a" * 64,
}
APP = {
    "client_id": "app",
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "telemetry:read",
    "token_endpoint_auth_method": "none",
    "redirect_uris": ["https://app.example.org/callback"],
}
PASSPHRASE = {"passphrase": {"env": "CAPASSPHRASE"}}
VALID: dict[str, Any] = {
    "oauth_server": {"issuer": "https://auth.example.org"},
    "clients": [CLIENT, APP],
    "certificates": {"mode": "local_ca", "directory": "/srv/ca", **PASSPHRASE},
}


def acme(**changes: object) -> dict[str, Any]:
    return {**VALID, "certificates": {"mode": "acme", "terms_agreed": True, **changes}}


PASSWORD_HASH = f"$argon2id$v=19$m=65536,t=3,p=4${'b' * 22}${'c' * 43}"
USER = {"username": "ada", "password_hash": PASSWORD_HASH}
JWKS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a" * 43, "kid": "one"}]}
ASSERTING = {key: value for key, value in CLIENT.items() if key != "client_secret_hash"} | {
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": JWKS,
}
TOKEN = {
    "module": "/usr/lib/softhsm/libsofthsm2.so",
    "token": "Keys: 1",
    "pin": {"env": "TOKEN_PIN"},
    "groups": ["softhsm"],
    "writable": ["/var/lib/softhsm/tokens"],
    "devices": ["/dev/tpmrm0"],
    "network": ["10.0.0.9"],
    "environment": {"SOFTHSM2_CONF": "/etc/softhsm/softhsm2.conf"},
}
SECRET = "correct-horse-battery-staple"


def validated(data: dict[str, Any]) -> HostData:
    return validate("web-1", data, connection_keys=frozenset({"ssh_user"}))


def faults(data: dict[str, Any]) -> list[str]:
    with pytest.raises(HostDataError) as refused:
        validated(data)
    return str(refused.value).splitlines()


def server(**changed: Any) -> dict[str, Any]:
    return {**VALID, "oauth_server": {**VALID["oauth_server"], **changed}}


def client(**changed: Any) -> dict[str, Any]:
    return {**VALID, "clients": [{**CLIENT, **changed}]}


def sysctl(value: object) -> dict[str, Any]:
    return {**VALID, "sysctl": {"values": {"fs.file-max": value}}}


def under(key: Any) -> dict[str, Any]:
    return {**VALID, key: 1}


def key_from(**place: object) -> dict[str, Any]:
    files = {"mode": "files", "certificate": "/a", "private_key": place}
    return {**VALID, "certificates": files}


def app(*redirect_uris: str) -> dict[str, Any]:
    return {**VALID, "clients": [{**APP, "redirect_uris": list(redirect_uris)}]}
