"""Why Redis did not do it: a word for the log, whichever version says it how."""

from __future__ import annotations

import asyncio
import re

from redis import exceptions

# Redis 7 begins with the word; Redis 6 has a script's error somewhere in the sentence.
_WORDS = re.compile(
    r"\b(OOM|READONLY|NOPERM|NOAUTH|WRONGPASS|LOADING|MISCONF|MASTERDOWN|NOREPLICAS|BUSY|WRONGTYPE)\b"
)
_NOT_ALLOWED = re.compile("user executing the script can't|ACL failure in script")


def of(error: BaseException) -> str:
    """For example `store_oom`; without a word of Redis' own, what kind of fault it was."""
    if isinstance(error.__cause__, exceptions.RedisError):
        return of(error.__cause__)  # what went wrong while connecting comes wrapped
    code = getattr(error, "status_code", None) or ""
    said = f"{code} {error}"
    if found := _WORDS.search(said):
        word = found[1].lower()
        return "store_auth" if word in {"noauth", "wrongpass"} else f"store_{word}"
    if _NOT_ALLOWED.search(said):
        return "store_noperm"
    if isinstance(error, exceptions.AuthenticationError):
        return "store_auth"
    if isinstance(error, asyncio.TimeoutError | exceptions.TimeoutError):
        return "store_timeout"
    if isinstance(error, OSError | exceptions.ConnectionError):
        return "store_connection"
    return "store_error"
