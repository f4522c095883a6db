"""Who is logged in, by a cookie that means something in the store alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import cookies
from oauth_server.protocol import opaque
from oauth_server.store import interface as store
from oauth_server.store.interface import Digest, Session
from oauth_server.users import User, Users


@dataclass(frozen=True)
class LoggedIn:
    """`session_id` is a secret."""

    session_id: str
    session: Session

    @property
    def subject(self) -> str:
        return self.session.subject


class Sessions:
    def __init__(
        self,
        sessions: store.Sessions,
        users: Users,
        lifetime: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._users = users
        self._lifetime = lifetime
        self._clock = clock

    async def find(self, request: Request) -> LoggedIn | None:
        """None as well if the user was disabled or has another password since."""
        session_id = cookies.read(request, cookies.SESSION)
        if session_id is None:
            return None
        session = await self._sessions.find_session(_digest(session_id))
        user = self._users.active(session.subject) if session is not None else None
        if session is None or user is None or session.credential != _credential(user):
            return None
        return LoggedIn(session_id, session)

    async def open(self, request: Request, response: Response, user: User) -> None:
        """Always under a new id: one that was there before may be somebody else's (fixation)."""
        await self._close(request)
        session_id = opaque.make()
        session = Session(
            subject=user.username, auth_time=int(self._clock()), credential=_credential(user)
        )
        await self._sessions.open_session(_digest(session_id), session, lifetime=self._lifetime)
        cookies.put(response, cookies.SESSION, session_id)

    async def close(self, request: Request, response: Response) -> None:
        # A form of another site comes without the cookie (SameSite), and must not remove it.
        if await self._close(request):
            cookies.remove(response, cookies.SESSION)

    async def _close(self, request: Request) -> bool:
        session_id = cookies.read(request, cookies.SESSION)
        if session_id is None:
            return False
        await self._sessions.close_session(_digest(session_id))
        return True


def _digest(session_id: str) -> Digest:
    return Digest(opaque.digest(session_id))


def _credential(user: User) -> str:
    return opaque.digest(user.password_hash)
