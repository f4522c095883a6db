"""Logging in with a name and a password, as often as the throttles allow."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from oauth_server import log
from oauth_server.errors import ErrorCode, UnavailableError
from oauth_server.http import cookies, csrf, exchange, html
from oauth_server.http.sessions import Sessions
from oauth_server.passwords import PasswordChecker
from oauth_server.protocol import opaque
from oauth_server.store.interface import Digest, Limit, Throttles
from oauth_server.users import User, Users

_PURPOSE = "login"
_DEVICE_LIFETIME = timedelta(days=180)
_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)


class Login:
    """The login page, wherever it is needed, and what comes from it."""

    def __init__(
        self, users: Users, passwords: PasswordChecker, throttles: Throttles, sessions: Sessions
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._throttles = throttles
        self._sessions = sessions

    def page(
        self,
        request: Request,
        *,
        client_name: str | None = None,
        leads_to: str | None = None,
        status: int = 200,
        problem: str | None = None,
        username: str = "",
    ) -> Response:
        """`client_name` is for whom the login is; a problem is told above the form."""
        secret = cookies.read(request, cookies.LOGIN)
        fresh = secret or opaque.make()
        context = {
            "action": _same_url(request),
            "csrf": csrf.token(fresh, _PURPOSE),
            "client_name": client_name,
            "problem": problem,
            "refused": status == 401,
            "username": username,
        }
        response = html.page("login", request, context, status=status, leads_to=leads_to)
        if secret is None:
            cookies.put(response, cookies.LOGIN, fresh)
        return response

    async def submitted(
        self,
        request: Request,
        form: Mapping[str, str],
        *,
        client_name: str | None = None,
        leads_to: str | None = None,
    ) -> Response:
        """The same page again, logged in; or the login page with what went wrong.

        The same answer, after the same work, whether the user exists, is disabled or mistyped.
        """
        record = exchange.of(request)
        record.event, record.always = "login", True
        csrf.check(request, form.get("csrf"), cookies.read(request, cookies.LOGIN), _PURPOSE)
        typed, password = form.get("username", ""), form.get("password", "")
        name = _name(typed)
        record.fields["username"] = name if name in self._users else log.UNKNOWN
        user = self._users.active(name)

        device = await self._known_device(request, name)
        limits = _limits(name, record.address, device)
        wait = await self._throttles.attempt(limits)
        if wait is None:
            try:
                proved = await self._passwords.verifies(
                    password, user.password_hash if user else None, known=device is not None
                )
            except UnavailableError:
                await self._throttles.forgive(limits)  # nothing was guessed
                raise
            if proved and user is not None:
                return await self._logged_in(request, user, limits, device)
            record.error = ErrorCode.LOGIN_FAILED.value
            record.fields["reason"] = self._reason(name)
            status, problem = 401, "The username or the password is not right."
        else:
            record.error = ErrorCode.TOO_MANY_REQUESTS.value
            status, problem = 429, f"There were too many attempts. Try again in {_shown(wait)}."
        response = self.page(
            request, client_name=client_name, leads_to=leads_to, status=status, problem=problem,
            username=typed,
        )  # fmt: skip
        if status == 401:  # RFC 9110 §11.6.1 wants one; browsers ask for nothing on this one
            response.headers["WWW-Authenticate"] = 'Form realm="login"'
        if wait is not None:
            response.headers["Retry-After"] = str(_seconds(wait))
        return response

    async def _logged_in(
        self, request: Request, user: User, limits: Sequence[Limit], device: str | None
    ) -> Response:
        await self._throttles.forgive(limits)
        response = html.see_other(_same_url(request))
        await self._sessions.open(request, response, user)
        cookies.remove(response, cookies.LOGIN)
        # This browser has limits of its own from now on, which no stranger can use up:
        # https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
        device = device or opaque.make()
        await self._throttles.remember_device(
            Digest(opaque.digest(device)), user.username, lifetime=_DEVICE_LIFETIME
        )
        cookies.put(response, cookies.DEVICE, device, lifetime=_DEVICE_LIFETIME)
        return response

    async def _known_device(self, request: Request, name: str) -> str | None:
        """The browser's cookie, if this user has logged in with it."""
        device = cookies.read(request, cookies.DEVICE)
        if device is None:
            return None
        subject = await self._throttles.find_device(Digest(opaque.digest(device)))
        return device if subject == name else None

    def _reason(self, name: str) -> str:
        user = self._users.get(name)
        if user is None:
            return "unknown_user"
        return "user_disabled" if user.disabled else "wrong_password"


def _limits(name: str, address: str, device: str | None) -> Sequence[Limit]:
    """What an attempt counts against.

    A browser that this user has logged in with counts alone. Everybody else counts by user and
    address, by user, and by address: one address can use up the first long before the second, so
    locking a user out elsewhere takes many, and never locks out the user's own browsers. Names are
    digests here: what was typed may be a password in the wrong field.
    """
    if device is not None:
        return [Limit(f"device:{opaque.digest(device)}", 10, _QUARTER)]
    user, network = opaque.digest(name), _network(address)
    return [
        Limit(f"pair:{user}:{network}", 10, _QUARTER),
        Limit(f"user:{user}", 100, _HOUR),
        Limit(f"address:{network}", 100, _QUARTER),
    ]


def _network(address: str) -> str:
    """An address, or the /64 that one host of IPv6 has for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "none"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _name(typed: str) -> str:
    """Keyboards of phones begin with a capital and end with a space. No other spelling is ours."""
    return typed.strip(" ").lower() if typed.isascii() else ""


def _same_url(request: Request) -> str:
    """The path is one of our routes; the query is the client's and stays as it is."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])


def _seconds(wait: timedelta) -> int:
    return max(1, -(-int(wait.total_seconds() * 1000) // 1000))


def _shown(wait: timedelta) -> str:
    minutes = -(-_seconds(wait) // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
