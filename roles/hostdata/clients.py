"""Clients and users, as clients.json and users.json have them."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from roles.hostdata.schema import Data
from roles.secrets import Source


def _redirect_uri(value: str) -> str:
    """RFC 6749 §3.1.2, RFC 8252 §7; the server checks it once more and further."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("must be printable ASCII without spaces (RFC 3986 §2)")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("must be a URI (RFC 3986)") from None
    if "#" in value:
        raise ValueError("must have no fragment (RFC 6749 §3.1.2)")
    if parts.scheme == "http":
        if parts.hostname not in ("127.0.0.1", "::1"):
            raise ValueError(
                "http:// is allowed for the loopback literals 127.0.0.1 and [::1] alone "
                "(RFC 8252 §7.3); use https://"
            )
    elif parts.scheme == "https":
        if not parts.hostname:
            raise ValueError("must name a host")
    elif "." not in parts.scheme:
        raise ValueError("must be https://, a loopback http://, or a private-use scheme")
    return value


def _password_hash(value: str) -> str:
    """One set of parameters for all, as the server wants it: its work must tell no users apart."""
    if not re.fullmatch(
        r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", value
    ):
        raise ValueError("must be what `oauth-server users hash` prints ($argon2id$v=19$m=65536,…)")
    return value


RedirectUri = Annotated[str, AfterValidator(_redirect_uri)]


class KeySetData(Data):
    """A client's public keys (RFC 7517 §5); the server checks each of them further."""

    keys: Annotated[
        tuple[dict[str, str | list[str]], ...], Field(strict=False, min_length=1, max_length=10)
    ]

    @model_validator(mode="after")
    def _no_key_is_private(self) -> KeySetData:
        # An inventory is read by many, and a symmetric key is as secret as a private one.
        if any(_PRIVATE_MEMBERS & key.keys() for key in self.keys):
            raise ValueError("must hold public keys alone (RFC 7518 §6)")
        return self


_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class ClientData(Data):
    """One entry of clients.json (RFC 7591 §2's names).

    A client with a secret has `client_secret_hash`, or `client_secret` that names where the secret
    itself lies: it is hashed on this machine. One with private_key_jwt has `jwks` instead.
    """

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]
    client_name: str | None = None
    redirect_uris: Annotated[tuple[RedirectUri, ...], Field(strict=False)] = ()
    grant_types: Annotated[
        tuple[Literal["client_credentials", "authorization_code", "refresh_token"], ...],
        Field(strict=False, min_length=1),
    ]
    scope: Annotated[str, Field(pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$")]
    token_endpoint_auth_method: Literal[
        "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
    ]
    audience: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    resource: str | None = None
    jwks: KeySetData | None = None
    client_secret_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    client_secret: Annotated[Source, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _secret_fits_the_method(self) -> ClientData:
        secrets = sum(s is not None for s in (self.client_secret_hash, self.client_secret))
        method = self.token_endpoint_auth_method
        if (self.jwks is not None) is not (method == "private_key_jwt"):
            raise ValueError("jwks and token_endpoint_auth_method private_key_jwt belong together")
        if method == "none":
            if secrets:
                raise ValueError("a public client (token_endpoint_auth_method none) has no secret")
        elif method == "private_key_jwt":
            if secrets:
                raise ValueError("a client with private_key_jwt has no secret (RFC 7523)")
        elif secrets != 1:
            raise ValueError("name exactly one of client_secret_hash and client_secret")
        return self

    @model_validator(mode="after")
    def _grants_fit_the_client(self) -> ClientData:
        public = self.token_endpoint_auth_method == "none"  # noqa: S105 - a method, not a secret
        if public and "client_credentials" in self.grant_types:
            raise ValueError("client_credentials is for confidential clients (RFC 6749 §4.4)")
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("authorization_code needs redirect_uris (RFC 6749 §3.1.2.2)")
        return self


class UserData(Data):
    """One entry of users.json; `oauth-server users hash` makes the hash."""

    username: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
    password_hash: Annotated[str, AfterValidator(_password_hash)]
    disabled: bool = False
