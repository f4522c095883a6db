"""Requests that are almost right: valid ones of every endpoint, bent in a few places."""

from __future__ import annotations

import asyncio
import base64
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
_JWS = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJleHAiOjFlNDAwfQ."
_PATHS = (
    "/token", "/token", "/authorize", "/authorize", "/revoke", "/introspect", "/account", "/logout",
    "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/health/live",
    "/health/ready", "/", "/metrics", "/token/", "//token", "/token;x", "/%74oken", "/../token",
)  # fmt: skip
_METHODS = ("GET", "POST", "POST", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "TRACE", "PATCH")
FORGED = "6.6.6.6"
"""The address of a line that nobody but the fuzzer writes."""
_NASTY = (
    "", " ", "\0", "\r\n", f"\n2026-11-24T00:00:00.000Z {FORGED} 401 login_failed login", "\u2028",
    "é", "\ud7ff", "\U0001f510", "%", "%00", "%zz", "../../etc/passwd", "<script>", "{{7*7}}", "=",
    "&", "+", "a" * 300, "a" * 5000, "-1", "1e400", "NaN", "null", "true", "[]", "{}", "'", '"',
    "javascript:alert(1)", "https://evil.test/", "https://web.example.com@evil.test/callback",
    "http://localhost:80@evil.test/", "plain", "S256", "none", "RS256", "HS256",
    "authorization_code", "refresh_token", "client_credentials", "password",
    "urn:ietf:params:oauth:grant-type:jwt-bearer", _CHALLENGE, _VERIFIER, _VERIFIER + "\n", _JWS,
)  # fmt: skip
_VALUES: dict[str, Sequence[str]] = {
    "grant_type": ("client_credentials", "authorization_code", "refresh_token"),
    "client_id": ("gateway_01", "poster", "web", "app", "nobody"),
    "client_secret": ("a secret of: 100% + more", "wrong"),
    "scope": ("telemetry:read", "telemetry:read telemetry:write", "admin"),
    "response_type": ("code", "token"),
    "redirect_uri": ("https://web.example.com/callback", "http://127.0.0.1:4711/callback"),
    "state": ("xyz", "s t/a?te"),
    "code_challenge": (_CHALLENGE,),
    "code_challenge_method": ("S256", "plain"),
    "code": ("SplxlOBeZQQYbYS6WxSbIA", _VERIFIER),
    "code_verifier": (_VERIFIER,),
    "refresh_token": ("A" * 108, "tGzv3JOkF0XG5Qx2TlKWIA"),
    "token": (_JWS, "A" * 108, "mF_9.B5f-4.1JqM"),
    "token_type_hint": ("access_token", "refresh_token", "pct"),
    "resource": ("https://api.example.com",),
    "client_assertion_type": ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",),
    "client_assertion": (_JWS,),
    "username": ("ada", "nobody"),
    "csrf": ("x" * 43,),
    "action": ("login", "approve", "deny", "withdraw"),
}
_AUTHORIZATIONS = (
    "Basic " + base64.b64encode(b"gateway_01:a+secret+of%3A+100%25+%2B+more").decode(),
    "Basic " + base64.b64encode(b"gateway_01:wrong").decode(),
    "Basic ====", "Basic", "Bearer " + _JWS, "Negotiate abc", "basic " + "A" * 4000,
)  # fmt: skip
_HEADERS = (
    ("Cookie", "__Host-session=" + "x" * 43),
    ("Cookie", "__Host-session=a; __Host-session=b; =; ;;"),
    ("X-Forwarded-For", "1.2.3.4, 5.6.7.8"),
    ("Origin", "null"),
    ("Origin", "https://evil.test"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Expect", "100-continue"),
    ("Transfer-Encoding", "chunked"),
    ("Content-Length", "-1"),
    ("Content-Encoding", "gzip"),
    ("Accept-Language", "xx" * 100),
    ("Host", "evil.test"),
    ("Range", "bytes=0-1,2-3"),
)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Mutator:
    """Makes requests; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    def request(self) -> tuple[bytes, bool]:
        """A request, and whether it is a HEAD, whose answer has no body."""
        pick = self._random
        method, path = pick.choice(_METHODS), pick.choice(_PATHS)
        parameters = self._parameters()
        body = b""
        if path == "/authorize" or pick.random() < 0.1:
            path += "?" + parameters
            parameters = self._parameters()
        headers = [("Host", "gateway")]
        if method in {"POST", "PUT", "PATCH"}:
            body = parameters.encode()
            if pick.random() < 0.97:
                headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        if pick.random() < 0.5:
            headers.append(("Authorization", pick.choice(_AUTHORIZATIONS)))
        while pick.random() < 0.2:
            headers.append(pick.choice(_HEADERS))
        headers.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        raw = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
        return (self._bent(raw) if pick.random() < 0.05 else raw), method == "HEAD"

    def _parameters(self) -> str:
        pick = self._random
        names = pick.sample(list(_VALUES), pick.randint(0, 9))
        while pick.random() < 0.05:
            names.append(pick.choice([*names, "x", *_NASTY]))
        return "&".join(
            quote(name, safe="") + "=" + self._encoded(self._value(name)) for name in names
        )

    def _value(self, name: str) -> str:
        pick = self._random
        if pick.random() < 0.7:
            value = pick.choice(_VALUES.get(name, ("x",)))
        elif pick.random() < 0.7:
            value = pick.choice(_NASTY)
        else:
            value = "".join(pick.choices(_PLAIN, k=pick.choice((1, 42, 43, 108, 128, 129))))
        return value if pick.random() < 0.9 else value + pick.choice(_NASTY)

    def _encoded(self, value: str) -> str:
        if self._random.random() < 0.95:
            return quote(value, safe="")
        return re.sub(r"[\x00-\x20\x7f-\U0010ffff#]", "", value)

    def _bent(self, raw: bytes) -> bytes:
        pick, bent = self._random, bytearray(raw)
        for _ in range(pick.randint(1, 4)):
            at = pick.randrange(len(bent))
            match pick.randrange(4):
                case 0:
                    bent[at] = pick.randrange(256)
                case 1:
                    del bent[at : at + pick.randint(1, 8)]
                case 2:
                    bent[at:at] = bytes([pick.randrange(256)])
                case _:
                    bent[at:at] = bent[at : at + pick.randint(1, 40)]
            if not bent:
                return raw
        return bytes(bent)


@dataclass
class Report:
    """`statuses` counts answers, 0 for a connection that was closed without one."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[bytes, bytes]] = field(default_factory=list)


async def fuzz(unix: Path, seed: int, count: int, connections: int = 8) -> Report:
    """Send `count` requests; a failure is an answer that blames the server, with its request."""
    report = Report()
    share = count // connections
    await asyncio.gather(
        *(
            _send(unix, Mutator(seed * 1000 + number), share, report)
            for number in range(connections)
        )
    )
    return report


async def _send(unix: Path, mutator: Mutator, count: int, report: Report) -> None:
    reader, writer = await asyncio.open_unix_connection(unix)
    for _ in range(count):
        request, is_head = mutator.request()
        try:
            writer.write(request)
            # A request that was bent may promise more than it has: then nobody answers.
            answer = await asyncio.wait_for(_read(reader, is_head), 0.5)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            answer = b""
        status = int(found[1]) if (found := _STATUS.match(answer)) else 0
        report.statuses[status] += 1
        if status >= 500 and status != 503:
            report.failures.append((request, answer))
        if status in {0, 400, 413} or b"\r\nconnection: close" in answer.lower():
            writer.close()
            reader, writer = await asyncio.open_unix_connection(unix)
    writer.close()


async def _read(reader: asyncio.StreamReader, is_head: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is None or is_head:
        return head
    return head + await reader.readexactly(int(length[1]))
