"""One HTTP connection: uvicorn's, with a deadline for the request."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_REQUEST_DEADLINE = 15.0
_CLOSE_DEADLINE = 2.0


class Connection(H11Protocol):
    """Whoever connects must have sent a whole request by a deadline, and cannot prevent a close.

    uvicorn itself waits for ever for a request that trickles in, be it head or body, and so can
    be filled up by a few slow clients. asyncio waits long, on Python 3.10 for ever, for the other
    side to agree to the end of TLS, and with it a stop would.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        # uvicorn asks the socket, which has forgotten its peer if that is gone already.
        peer = transport.get_extra_info("peername")
        if self.client is None and isinstance(peer, tuple):
            self.client = (str(peer[0]), int(peer[1]))
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        self._finish_closing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._finish_closing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._finish_closing()

    def _finish_closing(self) -> None:
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_DEADLINE, self.transport.abort)

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_REQUEST_DEADLINE, self.transport.abort)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
