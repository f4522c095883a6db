"""How many signatures may be waited for.

A burst may wait; of a lasting surplus less, so that what is accepted stays quick, and the rest is
told at once. A surplus lasts for as long as somebody was refused a moment ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from oauth_server.errors import UnavailableError

QUEUE_PER_PLACE = 8
LASTING_QUEUE_PER_PLACE = 5 / 3
_MOMENT = 1.0


class Room:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._crowded_until = 0.0

    def check(self, pending: int, places: int) -> None:
        """`places` are where signatures are made at once. Raises UnavailableError."""
        if pending < places * LASTING_QUEUE_PER_PLACE:
            return
        now = self._clock()
        if pending >= places * QUEUE_PER_PLACE or now < self._crowded_until:
            self._crowded_until = now + _MOMENT
            raise UnavailableError("The server is busy.", reason="sign_queue_full")
