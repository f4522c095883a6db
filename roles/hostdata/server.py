"""The authorization server's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from roles.hostdata.names import is_address, is_name
from roles.hostdata.pkcs11 import Pkcs11Data
from roles.hostdata.schema import Data, Network


def _issuer(value: str) -> str:
    """RFC 8414 §2, and this project's ports: https, a host, and nothing else."""
    name = value.removeprefix("https://")
    # Without brackets an IPv6 address makes no URL, and with them no server_name.
    if name == value or not (is_name(name) or (is_address(name) and ":" not in name)):
        raise ValueError(
            "must be https://<name> with a lower-case name or an IPv4 address, and no port, path "
            "or trailing slash"
        )
    return value


Issuer = Annotated[str, AfterValidator(_issuer)]


class OAuthServerData(Data):
    """Times are seconds; see docs/server.md for each setting."""

    issuer: Issuer
    access_token_lifetime: Annotated[int, Field(ge=60, le=86_400)] = 600
    refresh_token_lifetime: Annotated[int, Field(ge=60, le=31_536_000)] = 2_592_000
    code_timeout: Annotated[int, Field(ge=1, le=600)] = 60
    refresh_reuse_grace: Annotated[int, Field(ge=0, le=60)] = 0
    session_lifetime: Annotated[int, Field(ge=60, le=604_800)] = 28_800
    clock_leeway: Annotated[int, Field(ge=0, le=300)] = 30
    signing_algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    signing_rotation_days: Annotated[int, Field(ge=1, le=3650)] = 90
    signing_grace: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    jwks_cache_max: Annotated[int, Field(ge=0, le=604_800)] = 43_200
    scope_error_status: Literal[403, 400] = 403
    trusted_proxies: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    releases_kept: Annotated[int, Field(ge=1, le=50)] = 3
    pkcs11: Pkcs11Data | None = None
