"""HTTP without TLS, as whoever types a name into a browser begins."""

from __future__ import annotations

import http.client
from functools import cached_property

CLOSED = "no connection"
HUNG_UP = "no answer"


class PlainPort:
    """A host's port 80, asked under a name.

    Whether it lets anybody in is tried once: a firewall that drops what comes is silent, and takes
    all of the patience that there is.
    """

    def __init__(self, address: str, name: str, port: int = 80, patience: float = 5.0) -> None:
        """`patience` is in seconds, for a connection and for an answer."""
        self._address, self._name, self._port, self._patience = address, name, port, patience

    def answer(self, path: str) -> str:
        """What a GET of `path` gets: a status and where it leads, CLOSED or HUNG_UP."""
        if not self._is_open:
            return CLOSED
        connection = self._connection()
        try:
            connection.request("GET", path, headers={"Host": self._name})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            return HUNG_UP
        else:
            location = response.getheader("Location")
            return f"{response.status} to {location}" if location else str(response.status)
        finally:
            connection.close()

    @cached_property
    def _is_open(self) -> bool:
        connection = self._connection()
        try:
            connection.connect()
        except OSError:
            return False
        else:
            return True
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, self._port, timeout=self._patience)
