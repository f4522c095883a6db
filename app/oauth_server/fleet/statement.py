"""What a host tells the others of its fleet: a JWS of its own kind, signed by its identity.

It says which keys the host's ring has, and whose keys the host publishes. It is bound to the host,
to the issuer, to its place in a sequence and to a time (RFC 8725 §3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from oauth_server.keys import jwk
from oauth_server.keys.algorithms import KeyFormatError
from oauth_server.keys.jose import PrivateKey, PublicKey
from oauth_server.models import Algorithm
from oauth_server.protocol import claims, jws
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import JwsError
from oauth_server.store.interface import STATEMENT_LENGTH

TYP = "portcullis-fleet+jwt"
LIFETIME = timedelta(days=1)
"""How long a statement may be taken for the first time."""

_MAX_KEYS = 32
_MAX_SERVED = 1024
_MEMBERS = {"iss", "aud", "seq", "iat", "exp", "keys", "serves"}


class StatementError(Exception):
    """Not a statement to believe. `reason` is a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Statement:
    """`sequence` grows with each statement of a host: milliseconds since the epoch, by its clock.

    `keys` are the host's own, `serves` names all keys that it publishes (`named`).
    """

    host: str
    issuer: str
    sequence: int
    issued: int
    keys: Sequence[PublicKey]
    serves: Collection[str]


def sign(identity: PrivateKey, statement: Statement) -> str:
    return identity.sign(
        TYP,
        {
            "iss": statement.host,
            "aud": statement.issuer,
            "seq": statement.sequence,
            "iat": statement.issued,
            "exp": statement.issued + int(LIFETIME.total_seconds()),
            "keys": [key.to_jwk() for key in statement.keys],
            "serves": sorted(statement.serves),
        },
    )


def named(key: PublicKey) -> str:
    """A key as it is published: RS256 and PS256 keys have the same kid."""
    return f"{key.algorithm.value}:{key.kid}"


def sequence(now: datetime, previous: int = 0) -> int:
    """The next one after `previous`."""
    return max(previous + 1, int(now.timestamp() * 1000))


def read(
    text: str,
    identity: PublicKey,
    *,
    host: str,
    issuer: str,
    now: datetime | None,
    leeway: timedelta = timedelta(0),
) -> Statement:
    """A statement of this host, by the identity that was pinned for it.

    Without `now` its times are not looked at, as for one that was believed before. Raises
    StatementError.
    """
    try:
        sent = jws.parse(text, STATEMENT_LENGTH)
    except JwsError:
        raise StatementError("malformed") from None
    if sent.typ != TYP:  # RFC 8725 §3.11
        raise StatementError("typ")
    if sent.algorithm is not Algorithm.EDDSA or sent.kid != identity.thumbprint:
        raise StatementError("identity")
    if not identity.verifies(sent.signature, sent.signing_input):
        raise StatementError("signature")
    return _content(sent.claims, host, issuer, now, leeway)


def _content(
    found: Mapping[str, object], host: str, issuer: str, now: datetime | None, leeway: timedelta
) -> Statement:
    if found.keys() != _MEMBERS:
        raise StatementError("malformed")
    if found["iss"] != host:
        raise StatementError("host")
    if found["aud"] != issuer:
        raise StatementError("issuer")
    try:
        issued = claims.time(found, "iat", reason="malformed")
        number = claims.time(found, "seq", reason="malformed")
        if now is not None:
            claims.check_times(
                found, now=now.timestamp(), leeway=leeway.total_seconds(), iat=True,
                reason="malformed",
            )  # fmt: skip
    except ClaimsError as error:
        raise StatementError(error.reason.removeprefix("token_")) from None
    return Statement(host, issuer, number, issued, keys(found["keys"]), _served(found["serves"]))


def keys(entries: object) -> Sequence[PublicKey]:
    """Public keys as JWKs (RFC 7517), each named by its thumbprint. Raises StatementError."""
    if not isinstance(entries, list | tuple) or len(entries) > _MAX_KEYS:
        raise StatementError("keys")
    found: dict[str, PublicKey] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or "alg" not in entry:
            raise StatementError("keys")
        try:
            key = jwk.read(entry)
        except KeyFormatError:
            raise StatementError("keys") from None
        # The name follows from the key: nobody can give a key of theirs the name of another's.
        if key.kid != key.thumbprint or key.kid in found:
            raise StatementError("keys")
        found[key.kid] = key
    return tuple(found.values())


def _served(kids: object) -> Collection[str]:
    if (
        not isinstance(kids, list)
        or len(kids) > _MAX_SERVED
        or not all(isinstance(kid, str) and 0 < len(kid) <= 64 for kid in kids)
    ):
        raise StatementError("serves")
    return frozenset(kids)
