"""HTTP without TLS, as whoever types a name into a browser begins."""

from __future__ import annotations

import http.client

_SECONDS = 5.0

CLOSED = "no connection"
HUNG_UP = "no answer"


def plain_answer(address: str, name: str, path: str) -> str:
    """What a GET of `path` on port 80 gets: a status and where it leads, CLOSED or HUNG_UP."""
    connection = http.client.HTTPConnection(address, 80, timeout=_SECONDS)
    try:
        try:
            connection.connect()
        except OSError:
            return CLOSED
        try:
            connection.request("GET", path, headers={"Host": name})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            return HUNG_UP
        location = response.getheader("Location")
        return f"{response.status} to {location}" if location else str(response.status)
    finally:
        connection.close()
