"""Authorization server metadata (RFC 8414): what this server does today, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from oauth_server.models import AuthMethod, GrantType

AUTHORIZE_PATH = "/authorize"
TOKEN_PATH = "/token"  # noqa: S105 - a path
METADATA_PATH = "/.well-known/oauth-authorization-server"
JWKS_PATH = "/.well-known/jwks.json"


def document(issuer: str, grant_types: Iterable[GrantType]) -> dict[str, object]:
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        # Required by §2 and there is no authorization endpoint; clients refuse its absence.
        "response_types_supported": [],
        "grant_types_supported": list(grant_types),
        "token_endpoint_auth_methods_supported": [
            AuthMethod.CLIENT_SECRET_BASIC,
            AuthMethod.CLIENT_SECRET_POST,
        ],
    }
