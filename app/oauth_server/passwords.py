"""Passwords of people: Argon2id as RFC 9106 §4 recommends where memory is short.

All hashes have the same parameters, so that checking one takes the same time for every user.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

from oauth_server.errors import UnavailableError

MIN_LENGTH = 12
MAX_BYTES = 1024

# 16 bytes of salt and 32 of tag; the last digit of each has spare bits, which must be zero.
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{21}[AQgw]\$"
    r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]"
)
# Compared with when there is nothing else. Even if somebody found its password: it proves nobody.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# One hash takes 64 MiB and, with its four lanes, all cores of a small host: about 0.13 s.
_THREADS = 1
_QUEUE = 8
_RESERVED = 4


def normalised(password: str) -> str:
    """As it is hashed: keyboards differ in how they compose an é (NFC, RFC 8265 §4.2)."""
    return unicodedata.normalize("NFC", password)


def broken_rule(password: str) -> str | None:
    """Why this cannot become somebody's password; None if it can."""
    text = normalised(password)
    if _CONTROL.search(text):  # no form field can send them
        return "must have no control characters"
    if len(text) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "must be UTF-8"
    if size > MAX_BYTES:
        return f"must have at most {MAX_BYTES} bytes"
    return None


def is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def make_hash(password: str) -> str:
    """With a salt of its own. The password must break no rule."""
    from argon2 import low_level  # here and not above: few commands need it

    return low_level.hash_secret(
        normalised(password).encode(),
        secrets.token_bytes(16),
        time_cost=3,
        memory_cost=65536,
        parallelism=4,
        hash_len=32,
        type=low_level.Type.ID,
    ).decode()


def verifies(password: str, password_hash: str | None) -> bool:
    """Whether the password has this hash; without a hash the same work ends in False.

    Raises UnavailableError when the work could not be done.
    """
    from argon2 import exceptions, low_level

    # Longer ones are nobody's, and must cost the same.
    secret = normalised(password).encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]
    try:
        low_level.verify_secret((password_hash or _NOBODY).encode(), secret, low_level.Type.ID)
    except exceptions.VerifyMismatchError:
        return False
    except exceptions.VerificationError as error:  # no memory, or no more threads
        raise UnavailableError("The server is busy.", reason="password_not_hashed") from error
    return password_hash is not None


class PasswordChecker:
    """Hashes in a thread of its own; who comes when too many wait is told at once.

    `reserved` places are for known browsers, so that no flood of strangers keeps them out.
    """

    def __init__(
        self, *, threads: int = _THREADS, queue: int = _QUEUE, reserved: int = _RESERVED
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._places = BoundedSemaphore(threads + queue)
        self._reserved = BoundedSemaphore(reserved)

    async def verifies(self, password: str, password_hash: str | None, *, known: bool) -> bool:
        """As the function; `known` is a browser that the user has logged in with.

        Raises UnavailableError when it cannot be told soon.
        """
        place = self._take_place(known)
        future = self._pool.submit(verifies, password, password_hash)
        # The place is free when the thread is, not when who waited has left.
        future.add_done_callback(lambda _: place.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._pool.shutdown()

    def _take_place(self, known: bool) -> BoundedSemaphore:
        for places in (self._reserved, self._places) if known else (self._places,):
            if places.acquire(blocking=False):
                return places
        raise UnavailableError("The server is busy.", reason="password_queue_full")
