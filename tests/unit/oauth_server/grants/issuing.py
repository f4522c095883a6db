"""Grants on the memory store, with a signer that only counts, and a clock that stands."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from oauth_server.errors import UnavailableError
from oauth_server.grants.authorization_code import AuthorizationCode
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Issued
from oauth_server.grants.refresh_token import RefreshTokenGrant
from oauth_server.grants.tokens import AccessTokens
from oauth_server.models import AuthMethod, Authorization, Client, GrantType
from oauth_server.protocol import opaque, pkce
from oauth_server.store.interface import Digest, Proof
from oauth_server.store.memory import MemoryStore

ISSUER = "https://auth.example.com"
CALLBACK = "https://web.example.com/callback"
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


class Site:
    """What the grants stand on; `active` are the users."""

    def __init__(self, grace: timedelta = timedelta(0)) -> None:
        self.now = 1000.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.signer = Signer()
        self.active = {"ada"}
        tokens = AccessTokens(ISSUER, timedelta(minutes=5), self.signer, clock=lambda: self.now)
        delegated = DelegatedTokens(tokens, lambda subject: subject in self.active)
        self.codes = AuthorizationCode(self.store, delegated, WEEK)
        self.refreshes = RefreshTokenGrant(self.store, delegated, grace)

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
                    audience=("https://one.example", "https://two.example"), auth_time=900,
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


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
