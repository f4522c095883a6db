"""Two servers on one Redis, and what clients and attackers do with them at the same time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from oauth_server.models import Authorization
from oauth_server.protocol import opaque, pkce
from oauth_server.protocol.assertion import TYPE
from oauth_server.store.interface import Digest, Proof
from tests.redis.server import PASSWORD
from tests.redis.server import Server as Redis
from tests.server.conftest import DEVICE_KEY, SCOPE
from tests.server.process import Server
from tests.server.test_token import basic

CALLBACK = "https://web.example.com/callback"
VERIFIER = secrets.token_urlsafe(32)
SUBJECT = "alice"


@dataclass
class Pair:
    redis: Redis
    servers: list[Server]

    def code(self) -> str:
        """A code that alice gave the client `web`, as either server would have stored it."""
        return asyncio.run(self._save(opaque.make()))

    async def _save(self, code: str) -> str:
        store = self.redis.store()
        challenge = pkce.challenge(VERIFIER)
        assert challenge is not None
        await store.save_code(
            Digest(opaque.digest(code)),
            Proof("web", CALLBACK, challenge),
            Authorization(
                family=secrets.token_urlsafe(16), client_id="web", subject=SUBJECT, scope=SCOPE,
                audience=("https://127.0.0.1",), auth_time=0,
            ),
            lifetime=timedelta(minutes=5),
            remembered=timedelta(days=1),
        )  # fmt: skip
        await store.close()
        return code

    def redeem(self, code: str) -> httpx.Response:
        return self.together([redemption(code)])[0]

    def refresh(self, token: str) -> httpx.Response:
        return self.together([refreshment(token)])[0]

    def together(
        self,
        forms: Sequence[dict[str, str]],
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> list[httpx.Response]:
        """Post all forms to /token at once, in turns to one server and the other.

        Without an answer there is none in the list: a server was killed.
        """
        return asyncio.run(self._together(forms, meanwhile))

    async def _together(
        self, forms: Sequence[dict[str, str]], meanwhile: Callable[[], Awaitable[None]] | None
    ) -> list[httpx.Response]:
        clients = [
            httpx.AsyncClient(
                base_url="http://gateway",
                transport=httpx.AsyncHTTPTransport(uds=str(server.unix)),
                timeout=10,
            )
            for server in self.servers
        ]
        requests = [
            clients[number % len(clients)].post("/token", data=form, headers=_headers(form))
            for number, form in enumerate(forms)
        ]
        answers, _ = await asyncio.gather(
            asyncio.gather(*requests, return_exceptions=True), meanwhile() if meanwhile else _rest()
        )
        for client in clients:
            await client.aclose()
        responses = []
        for answer in answers:
            if isinstance(answer, httpx.Response):
                responses.append(answer)
            else:
                assert isinstance(answer, httpx.TransportError), repr(answer)
        return responses


def settings(redis: Redis) -> dict[str, object]:
    password = Path(redis.directory) / "password"
    password.write_text(PASSWORD)
    return {
        "store": {
            "url": f"unix://{redis.socket}",
            "username": "oauth_server",
            "password_file": str(password),
        }
    }


def redemption(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }


def refreshment(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def granted(responses: Sequence[httpx.Response]) -> list[httpx.Response]:
    """Those that have a token; every other one is a refusal or tells to come back."""
    for response in responses:
        if response.status_code == 400:
            assert response.json()["error"] == "invalid_grant"
        elif response.status_code != 200:
            assert response.status_code == 503, response.text
            assert "retry-after" in response.headers
    return [response for response in responses if response.status_code == 200]


def assertion() -> dict[str, str]:
    """How the client `device` proves itself, once."""
    now = int(time.time())
    claims = {
        "iss": "device", "sub": "device", "aud": "https://127.0.0.1", "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
    }  # fmt: skip
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": DEVICE_KEY.sign("JWT", claims),
    }


def _headers(form: dict[str, str]) -> dict[str, str]:
    """The client `web`, where nothing in the form says who asks."""
    return {} if "client_assertion" in form else basic("web")


async def _rest() -> None:
    return
