"""What the server asks of a store: each method is one atomic step, whoever asks at the same time.

Whatever is secret arrives here as a digest, so that reading the store gives nobody a token. Every
method answers or raises UnavailableError within a bounded time; after an error the step was taken
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import NewType, Protocol

import msgspec

from oauth_server.models import Authorization

Digest = NewType("Digest", str)
"""The SHA-256 of an opaque value that only its holder has, base64url without padding."""

TOKENS_LIVE = timedelta(days=1, minutes=10)
"""Longer than any access token can be valid, leeway included (docs/server.md, settings)."""

GRANTS_LIVE = timedelta(days=366)
"""Longer than any refresh token can be."""

Observer = Callable[[str, float, bool], None]
"""Told of each step: its name, the seconds it took, and whether the store took it.

Of a step that its caller gave up it is told nothing.
"""

STATEMENT_LENGTH = 64 * 1024
"""No announcement is longer; whoever may write to the store could make one of any length."""

MISMATCHES = 5
"""So many wrong proofs void a code."""


@dataclass(frozen=True)
class Proof:
    """What must be the same when a code is issued and when it is redeemed.

    `redirect_uri` is as the authorization request had it, empty if it had none (RFC 6749 §4.1.3);
    `code_challenge` is S256's (RFC 7636 §4.6).
    """

    client_id: str
    redirect_uri: str
    code_challenge: str


@dataclass(frozen=True)
class Replay:
    """What was presented had been used before; all that it bought is revoked by now."""

    family: str


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token as the store sees it.

    `handle` is the same for all tokens of a family and known to nobody else: who has it held a
    token of this family once, and a `secret` that is not the current one was used before.
    """

    family: str
    handle: Digest
    secret: Digest


class RevocationKind(str, Enum):
    """What a revocation names; its value is the claim's: jti, family, sub or client_id.

    A key's is the kid: everything that it signed is concerned, whenever that was.
    """

    JTI = "jti"
    FAMILY = "family"
    SUBJECT = "subject"
    CLIENT = "client"
    KEY = "key"


@dataclass(frozen=True)
class TokenIdentity:
    """What a revocation could name of one token; `issued_at` is seconds since the epoch."""

    jti: str
    subject: str
    client_id: str
    issued_at: int
    family: str | None = None
    kid: str | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A login. `credential` is a digest of what was proved: with another password it is void.

    `auth_time` is seconds since the epoch.
    """

    subject: str
    auth_time: int
    credential: str


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a user let a client do, and by audience what of it they allowed there.

    `given_at` is seconds since the epoch.
    """

    scope: str
    given_at: int
    at: Mapping[str, str] = {}


@dataclass(frozen=True)
class Limit:
    """At most `most` attempts under `key` within a window that begins with the first."""

    key: str
    most: int
    window: timedelta


class Codes(Protocol):
    async def save_code(
        self,
        code: Digest,
        proof: Proof,
        authorization: Authorization,
        *,
        lifetime: timedelta,
        remembered: timedelta,
    ) -> None:
        """Keep a code to be redeemed within `lifetime`.

        Once spent it is remembered as such for `remembered`: as long as anything that it bought.
        From now on the family counts as given by the subject to the client (see `withdraw`).
        """

    async def present_code(self, code: Digest, proof: Proof) -> Authorization | Replay | None:
        """What redeeming this code now would give; a matching code is not spent by it.

        A proof that doesn't match spends nothing either, but after five of them the code is void
        (RFC 6749 §4.1.2, RFC 7636 §4.6). A matching proof for a spent code revokes the family,
        as often as it comes; no proof makes a spent code void, or its replay would go unnoticed.
        None for a code that is unknown, expired, void, another proof's, or unspent and of a
        revoked family, subject or client.
        """

    async def redeem_code(
        self, code: Digest, proof: Proof, refresh: RefreshToken | None, *, lifetime: timedelta
    ) -> Authorization | Replay | None:
        """Spend the code: of concurrent callers exactly one gets the authorization.

        In the same step its family begins with `refresh`, if there is one, for `lifetime`.
        Otherwise as `present_code`.
        """


class Families(Protocol):
    async def present_refresh_token(
        self, token: RefreshToken, client_id: str, *, grace: timedelta
    ) -> Authorization | Replay | None:
        """What rotating this token now would give; nothing is rotated by it.

        A token that was rotated before is a replay: its family is revoked (RFC 9700 §4.14.2),
        unless `grace` forgives it. None, without a consequence, for a token that is unknown,
        expired, revoked or another client's.
        """

    async def rotate_refresh_token(
        self, token: RefreshToken, client_id: str, successor: Digest, *, grace: timedelta
    ) -> Authorization | Replay | None:
        """Make `successor` the secret of the family's only live token; the lifetime stays.

        Otherwise as `present_refresh_token`. The one before the current token is forgiven for
        `grace` after it was rotated, and then the current one, which may never have arrived,
        is dead: there is one live branch at any time.
        """

    async def find_refresh_token(self, token: RefreshToken) -> tuple[Authorization, int] | None:
        """The authorization of a live token and when it ends, in seconds since the epoch.

        None for every other token, and nothing is revoked by asking.
        """


class Denylist(Protocol):
    async def revoke(self, kind: RevocationKind, value: str, *, until: int | None = None) -> None:
        """Revoke what was issued up to now under this value, and tell the edges.

        `until`, in seconds since the epoch, is when the last token concerned has expired, leeway
        included; None is for as long as any token can live. A jti, family or key that is revoked
        again is the same as once; for a subject or client "up to now" moves on.
        """

    async def is_revoked(self, token: TokenIdentity) -> bool:
        """Whether any of the kinds concerns this token.

        A token knows its second alone: what is issued to a subject or client in the very second of
        a revocation counts as issued before it.
        """


class Sessions(Protocol):
    async def open_session(
        self, session_id: Digest, session: Session, *, lifetime: timedelta
    ) -> None: ...

    async def find_session(self, session_id: Digest) -> Session | None: ...

    async def close_session(self, session_id: Digest) -> None:
        """End it; one that is not there is no error."""


class Consents(Protocol):
    async def remember_consent(self, subject: str, client_id: str, consent: Consent) -> None:
        """Replaces what was remembered."""

    async def find_consent(self, subject: str, client_id: str) -> Consent | None: ...

    async def list_consents(self, subject: str) -> Mapping[str, Consent]:
        """By client_id."""

    async def withdraw_consent(self, subject: str, client_id: str) -> None:
        """Forget the consent and revoke every family that the subject gave this client."""


class Throttles(Protocol):
    async def attempt(self, limits: Sequence[Limit]) -> timedelta | None:
        """Count one attempt under each limit, or under none if any of them is reached.

        None if the attempt may go on, otherwise how long it must wait.
        """

    async def forgive(self, limits: Sequence[Limit]) -> None:
        """Take back one attempt under each: it succeeded."""

    async def remember_device(self, device: Digest, subject: str, *, lifetime: timedelta) -> None:
        """This browser has logged in as the subject."""

    async def find_device(self, device: Digest) -> str | None:
        """The subject that this browser has logged in as."""


class Assertions(Protocol):
    async def use_assertion(self, client_id: str, jti: str, *, lifetime: timedelta) -> bool:
        """Whether this is the first use of an assertion (RFC 7523 §3, point 7)."""


class Board(Protocol):
    async def announce(self, host: str, statement: str) -> None:
        """Replace what this host said before. Nothing is checked here: a statement is signed."""

    async def announcements(self, hosts: Sequence[str]) -> Mapping[str, str]:
        """What these hosts said last, as far as it could be a statement at all."""


class Reachable(Protocol):
    async def ping(self) -> None:
        """Return if the store answers."""


class Store(
    Reachable, Codes, Families, Denylist, Sessions, Consents, Throttles, Assertions, Board, Protocol
):  # one store carries all
    async def close(self) -> None:
        """Give back connections; the store is not used afterwards."""
