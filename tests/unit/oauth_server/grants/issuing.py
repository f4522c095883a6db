"""Grants on the memory store, with a signer that only counts, and a clock that stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from oauth_server.errors import UnavailableError
from oauth_server.grants.authorization_code import AuthorizationCode
from oauth_server.grants.client_credentials import ClientCredentials
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Issued
from oauth_server.grants.introspection import Introspection
from oauth_server.grants.refresh_token import RefreshTokenGrant
from oauth_server.grants.revocation import Revocation
from oauth_server.grants.tokens import AccessTokens
from oauth_server.models import Algorithm, AuthMethod, Authorization, Client, GrantType
from oauth_server.protocol import access_token, opaque, pkce
from oauth_server.protocol.access_token import AccessToken
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import Jws
from oauth_server.store.interface import Digest, Proof
from oauth_server.store.memory import MemoryStore

ISSUER = "https://auth.example.com"
CALLBACK = "https://web.example.com/callback"
AUDIENCE = ("https://one.example", "https://two.example")
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
WEEK = timedelta(weeks=1)
T = TypeVar("T")


def web(scope: str = "a b", *grant_types: GrantType) -> Client:
    return Client(
        client_id="web",
        grant_types=grant_types or (GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN),
        scope=scope,
        token_endpoint_auth_method=AuthMethod.NONE,
        redirect_uris=(CALLBACK,),
        audience=AUDIENCE,
    )


class Signer:
    def __init__(self) -> None:
        self.claims: list[dict[str, object]] = []
        self.busy = False

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        if self.busy:
            raise UnavailableError("The server is busy.", reason="sign_queue_full")
        self.claims.append(claims)
        return f"{typ}-{len(self.claims)}"


class Reader:
    """Reads what the signer above made, with everything but a signature."""

    def __init__(self, signer: Signer, leeway: timedelta, clock: Callable[[], float]) -> None:
        self._signer = signer
        self._leeway = leeway
        self._clock = clock

    def verify(self, token: str) -> AccessToken:
        typ, _, number = token.rpartition("-")
        if not number.isdecimal():
            raise ClaimsError("token_malformed")
        claims = self._signer.claims[int(number) - 1]
        jws = Jws(Algorithm.RS256, "kid", typ, claims, b"", b"")
        return access_token.read(jws, issuer=ISSUER, now=self._clock(), leeway=self._leeway)


class Site:
    """What the grants stand on; `active` are the users, `clients` those registered."""

    def __init__(self, grace: timedelta = timedelta(0), leeway: timedelta = timedelta(0)) -> None:
        self.now = 1000.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.signer = Signer()
        self.active = {"ada"}
        self.clients = {"web", "m"}
        self._grace = grace
        self._leeway = leeway
        self.let_tokens_live(timedelta(minutes=5))
        self._reader = Reader(self.signer, leeway, lambda: self.now)
        self.break_store(self.store)

    def let_tokens_live(self, lifetime: timedelta) -> None:
        """As by a reload."""
        tokens = AccessTokens(ISSUER, lifetime, self.signer, clock=lambda: self.now)
        delegated = DelegatedTokens(tokens, ISSUER, lambda subject: subject in self.active)
        self.codes = AuthorizationCode(self.store, delegated, WEEK)
        self.refreshes = RefreshTokenGrant(self.store, delegated, self._grace)
        self.machines = ClientCredentials(tokens, ISSUER)

    def break_store(self, instead: Any) -> None:
        """From now on who asks or revokes meets another store."""
        self.introspection = Introspection(
            ISSUER, self._reader, instead, self.clients, lambda subject: subject in self.active
        )
        self.revocation = Revocation(self._reader, instead, self._leeway)

    def machine_token(self, client: Client) -> Issued:
        return run(self.machines.exchange(client, {}))

    def code(self, redirect_uri: str = CALLBACK) -> str:
        """A code that ada gave the client `web`."""
        code = opaque.make()
        challenge = pkce.challenge(VERIFIER)
        assert challenge is not None
        run(
            self.store.save_code(
                Digest(opaque.digest(code)),
                Proof("web", redirect_uri, challenge),
                Authorization(
                    family="F" * 22, client_id="web", subject="ada", scope="a b",
                    audience=AUDIENCE, auth_time=900,
                ),
                lifetime=timedelta(seconds=60),
                remembered=WEEK,
            )
        )  # fmt: skip
        return code

    def redeem(self, code: str, client: Client | None = None, /, **changes: str) -> Issued:
        """An empty value is none, as in a form."""
        sent = {"code": code, "code_verifier": VERIFIER, "redirect_uri": CALLBACK, **changes}
        return run(self.codes.exchange(client or web(), {k: v for k, v in sent.items() if v}))

    def refresh(self, issued: Issued, client: Client | None = None, **parameters: str) -> Issued:
        token = str(issued.response.refresh_token)
        return run(self.refreshes.exchange(client or web(), {"refresh_token": token, **parameters}))


class Down:
    """A store that does not answer."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, object]]:
        async def step(*_: object, **__: object) -> object:
            raise UnavailableError("The store does not answer.", reason="store_down")

        return step


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
