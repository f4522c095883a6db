"""clients.json: who may ask for tokens, and how they authenticate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from oauth_server import files, json_document, schema
from oauth_server.keys import jwk
from oauth_server.keys.algorithms import KeyFormatError
from oauth_server.models import AuthMethod, Client, GrantType, Jwks
from oauth_server.protocol import client_secret, redirect_uri, scope

# Within RFC 6749 appendix A.1, and the same in a URL and in the log.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_AUDIENCE = re.compile(r"[\x21-\x7e]{1,512}")
_MAX_BYTES = 16 * 1024 * 1024

# A token has both, and past 8 KiB nobody reads it (protocol/jws.py).
_MAX_SCOPE_AND_AUDIENCE = 4096
_BY_SECRET = {AuthMethod.CLIENT_SECRET_BASIC, AuthMethod.CLIENT_SECRET_POST}

Clients = Mapping[str, Client]
"""By client_id."""


def load(path: Path) -> Clients:
    """The clients of a file that is valid as a whole; OperatorError has every problem otherwise."""
    document = json_document.parse(path, files.read_text(path, max_bytes=_MAX_BYTES))
    problems = schema.Problems(path)
    clients: dict[str, Client] = {}
    for index, entry in enumerate(_entries(document, problems.report)):
        where = f"clients[{index}]"
        client = schema.convert(Client, entry, where, _RULES, problems.report)
        if client is None:
            continue
        if client.client_id in clients:
            problems.report(f"{where}.client_id", "belongs to an earlier entry already")
        clients[client.client_id] = client
        _check(client, where, problems.report)
    problems.raise_any()
    return clients


def _entries(document: object, report: schema.Report) -> list[object]:
    entries = document.get("clients") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(entries, list):
        report("", 'must be {"clients": [ … ]}')
        return []
    for name in document.keys() - {"clients"}:
        report(schema.shown(name), "is not known")
    return entries


def _client_id(client_id: str) -> Iterator[str]:
    if not _CLIENT_ID.fullmatch(client_id):
        yield "must be 1 to 128 letters, digits, dots, hyphens, _ or ~"


def _client_name(name: str) -> Iterator[str]:
    if not name.isprintable():
        yield "must be printable"


def _scope(text: str) -> Iterator[str]:
    if not scope.is_well_formed(text):
        yield "must be scopes with one space between them (RFC 6749 §3.3)"


def _audience(audience: str) -> Iterator[str]:
    if not _AUDIENCE.fullmatch(audience):
        yield "must be ASCII without spaces"


def _secret_hash(text: str) -> Iterator[str]:
    if not client_secret.is_hash(text):
        yield "must be sha256: and 64 hex digits; `oauth-server clients secret` makes one"


_RULES: schema.Rules = {
    "client_id": _client_id,
    "client_name": _client_name,
    "scope": _scope,
    "audience": _audience,
    "resource": _audience,
    "redirect_uris": redirect_uri.broken_rules,
    "client_secret_hash": _secret_hash,
}


def _check(client: Client, where: str, report: schema.Report) -> None:
    """The rules between fields."""
    if GrantType.AUTHORIZATION_CODE in client.grant_types and not client.redirect_uris:
        report(f"{where}.redirect_uris", "must not be empty for authorization_code")
    if len(client.scope) + sum(map(len, client.audience)) > _MAX_SCOPE_AND_AUDIENCE:
        report(where, f"scope and audience have more than {_MAX_SCOPE_AND_AUDIENCE} characters")
    method = client.token_endpoint_auth_method
    if method is AuthMethod.NONE:
        if GrantType.CLIENT_CREDENTIALS in client.grant_types:  # RFC 6749 §4.4
            report(f"{where}.grant_types", "client_credentials is for confidential clients")
        if client.resource is not None:  # RFC 7662 §2.1
            report(f"{where}.resource", "is for a client that can authenticate")
    # One way to authenticate, and no weaker one beside it.
    if method in _BY_SECRET and client.client_secret_hash is None:
        report(f"{where}.client_secret_hash", "is missing")
    if method not in _BY_SECRET and client.client_secret_hash is not None:
        kind = "a public client" if method is AuthMethod.NONE else "a client"
        report(f"{where}.client_secret_hash", f"must be absent for {kind} ({method.value})")
    if method is not AuthMethod.PRIVATE_KEY_JWT:
        if client.jwks is not None:
            report(f"{where}.jwks", "is for private_key_jwt")
    elif client.jwks is None:
        report(f"{where}.jwks", "is missing")
    else:
        _check_keys(client.jwks, f"{where}.jwks.keys", report)


def _check_keys(jwks: Jwks, where: str, report: schema.Report) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(jwks.keys):
        try:
            kid = jwk.read(entry).kid
        except KeyFormatError as error:
            report(f"{where}[{index}]", str(error))
            continue
        if kid in seen:  # a signature must name one key
            report(f"{where}[{index}]", "its kid belongs to an earlier key already")
        seen.add(kid)
