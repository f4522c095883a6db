"""What the server knows of its clients (RFC 7591 §2's names)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import msgspec


class GrantType(str, Enum):
    CLIENT_CREDENTIALS = "client_credentials"
    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant


class AuthMethod(str, Enum):
    """How a client authenticates at the token endpoint (RFC 7591 §2)."""

    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the name of a method
    CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - the name of a method
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


class Algorithm(str, Enum):
    """How signatures are made (RFC 7518 §3.1, RFC 8037 §3.1)."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


class Jwks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JWK Set (RFC 7517 §5) as registered."""

    keys: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1, max_length=10)]


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of clients.json.

    `scope` is as registered, space-delimited; `client_secret_hash` is `sha256:` and 64 hex digits;
    an empty `audience` stands for the issuer. `jwks` are the public keys of `private_key_jwt`;
    `resource` names the protected resource that the client is (RFC 9728 §2), if it is one.
    """

    client_id: str
    grant_types: Annotated[tuple[GrantType, ...], msgspec.Meta(min_length=1)]
    scope: str
    token_endpoint_auth_method: AuthMethod = AuthMethod.CLIENT_SECRET_BASIC
    client_name: str = ""
    redirect_uris: tuple[str, ...] = ()
    client_secret_hash: str | None = None
    audience: tuple[str, ...] = ()
    jwks: Jwks | None = None
    resource: str | None = None


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """What a resource owner let a client do.

    `family` names everything that is bought with it: it is in the tokens, and revokes them all.
    `auth_time` is when the owner logged in, in seconds since the epoch.
    """

    family: str
    client_id: str
    subject: str
    scope: str
    audience: tuple[str, ...]
    auth_time: int
