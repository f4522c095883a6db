"""What can be amiss with a token: a word for the log, a line for people."""

from __future__ import annotations

GONE = "token_gone"
PIN_REFUSED = "token_pin_refused"
KEY_MISSING = "token_key_missing"
UNSUPPORTED = "token_unsupported"
ERROR = "token_error"


class TokenError(Exception):
    """`reason` is one of the words above; the text names what is amiss, and never a PIN."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
