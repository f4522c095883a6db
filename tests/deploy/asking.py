"""Clients that ask a host for tokens without a pause, while something happens to it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


def token(http: httpx.Client, url: str, client_id: str, secret: str) -> int:
    """The status that the client gets."""
    form = {"grant_type": "client_credentials"}
    return http.post(f"{url}/token", data=form, auth=(client_id, secret)).status_code


@contextmanager
def requests_running(
    lab_json: dict[str, Any], *, name: str | None = None, ca_file: str | None = None
) -> Iterator[list[int | str]]:
    """Ask both ports for tokens, on connections that are kept and on fresh ones.

    Gives the statuses, and the errors' words. `name` is the issuer's, where it is not the address.
    A reload of nginx closes connections that are kept and idle, and does not read what is on its
    way there: that is asked once more, as any client with kept connections does.
    """
    answers: list[int | str] = []
    stop = threading.Event()
    client = lab_json["confidential_client"]
    trust = ssl.create_default_context(cafile=ca_file or lab_json["ca_file"])
    headers = {"Host": name} if name else {}
    extensions = {"sni_hostname": name} if name else {}

    def ask(port: str, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        with httpx.Client(verify=trust, timeout=15, limits=limits, headers=headers) as http:
            unread = False
            while not stop.is_set():
                try:
                    answer = http.post(
                        f"{lab_json['issuer']}{port}/token",
                        data={"grant_type": "client_credentials"},
                        auth=(client["client_id"], client["client_secret"]),
                        extensions=extensions,
                    )
                    answers.append(answer.status_code)
                    unread = False
                except httpx.HTTPError as error:
                    closed = isinstance(error, httpx.RemoteProtocolError) and kept and not port
                    if not closed or unread:
                        answers.append(f"{port or ':443'} {error!r}")
                    unread = closed

    threads = [
        threading.Thread(target=ask, args=(port, kept))
        for port in ("", ":8443")
        for kept in (True, False)
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
