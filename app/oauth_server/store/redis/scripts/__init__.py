"""The Lua scripts: each is one atomic step, put together from the files beside this one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from oauth_server.store.interface import (
    GRANTS_LIVE,
    MISMATCHES,
    STATEMENT_LENGTH,
    TOKENS_LIVE,
)

_DIRECTORY = Path(__file__).parent
_CONSTANTS = f"""\
local TOKENS_LIVE = {int(TOKENS_LIVE.total_seconds())}
local GRANTS_LIVE = {int(GRANTS_LIVE.total_seconds())}
local MISMATCHES = {MISMATCHES}
local STATEMENT_LENGTH = {STATEMENT_LENGTH}
"""


@dataclass(frozen=True)
class Script:
    """`sha1` is Redis' name for `text`."""

    name: str
    text: str
    sha1: str


def _script(name: str, *parts: str) -> Script:
    """`parts` define what the file of this name uses."""
    files = (_DIRECTORY / f"{part}.lua" for part in (*parts, name))
    text = _CONSTANTS + "".join(file.read_text() for file in files)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


_REVOCATIONS = ("clock", "revocations")

SAVE_CODE = _script("save_code", "clock", "given")
PRESENT_CODE = _script("present_code", *_REVOCATIONS, "code")
REDEEM_CODE = _script("redeem_code", *_REVOCATIONS, "given", "code")
PRESENT_REFRESH_TOKEN = _script("present_refresh_token", *_REVOCATIONS, "token")
ROTATE_REFRESH_TOKEN = _script("rotate_refresh_token", *_REVOCATIONS, "token")
FIND_REFRESH_TOKEN = _script("find_refresh_token", *_REVOCATIONS, "token")
REVOKE = _script("revoke", *_REVOCATIONS)
WITHDRAW_CONSENT = _script("withdraw_consent", *_REVOCATIONS)
ATTEMPT = _script("attempt")
FORGIVE = _script("forgive")
ANNOUNCEMENTS = _script("announcements")
