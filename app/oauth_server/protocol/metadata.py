"""Authorization server metadata (RFC 8414): what this server does today, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from oauth_server.models import Algorithm, AuthMethod, GrantType

AUTHORIZE_PATH = "/authorize"
TOKEN_PATH = "/token"  # noqa: S105 - a path
REVOKE_PATH = "/revoke"
INTROSPECT_PATH = "/introspect"
METADATA_PATH = "/.well-known/oauth-authorization-server"
JWKS_PATH = "/.well-known/jwks.json"

_CONFIDENTIAL = [
    AuthMethod.CLIENT_SECRET_BASIC,
    AuthMethod.CLIENT_SECRET_POST,
    AuthMethod.PRIVATE_KEY_JWT,
]
_ANY = [*_CONFIDENTIAL, AuthMethod.NONE]


def document(issuer: str, grant_types: Iterable[GrantType]) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 §3
        "grant_types_supported": list(grant_types),
        "token_endpoint_auth_methods_supported": _ANY,
        "token_endpoint_auth_signing_alg_values_supported": list(Algorithm),
        "revocation_endpoint": issuer + REVOKE_PATH,
        "revocation_endpoint_auth_methods_supported": _ANY,
        "revocation_endpoint_auth_signing_alg_values_supported": list(Algorithm),
        "introspection_endpoint": issuer + INTROSPECT_PATH,
        "introspection_endpoint_auth_methods_supported": _CONFIDENTIAL,
        "introspection_endpoint_auth_signing_alg_values_supported": list(Algorithm),
    }
