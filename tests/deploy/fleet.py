"""What asks a fleet on a lab for tokens and keys, and notes what goes wrong."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.lab.fixtures import RunningLab

INVENTORY = "tests/deploy/fleet_inventory.py"
NAME = "auth.example.net"
SERVERS, GATEWAY = (0, 1), 2


class Client:
    """Asks a host of the fleet under the issuer's name; every answer is on a fresh connection."""

    def __init__(self, lab: RunningLab) -> None:
        described = json.loads(lab.lab_json.read_text())
        known = described["confidential_client"]
        self._auth = (known["client_id"], known["client_secret"])
        self._lab = lab
        self._trust = ssl.create_default_context(cafile=described["ca_file"])

    def ask(
        self, host: int, path: str, form: dict[str, str] | None = None, port: int = 8443
    ) -> httpx.Response:
        with httpx.Client(verify=self._trust, timeout=15) as http:
            return http.request(
                "POST" if form else "GET",
                f"https://{self._lab.hosts[host].address}:{port}{path}",
                data=form,
                auth=self._auth if form else None,
                headers={"Host": NAME},
                extensions={"sni_hostname": NAME},
            )

    def token(self) -> str:
        """By the gateway, from whichever server it leads to."""
        answer = self.ask(GATEWAY, "/token", {"grant_type": "client_credentials"}, port=443)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def is_active(self, host: int, token: str) -> bool:
        answer = self.ask(host, "/introspect", {"token": token})
        answer.raise_for_status()
        return bool(answer.json()["active"])

    def kids(self, host: int) -> set[str]:
        answer = self.ask(host, "/.well-known/jwks.json")
        answer.raise_for_status()
        return {key["kid"] for key in answer.json()["keys"]}


def kid_of(token: str) -> str:
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


@contextmanager
def load(client: Client, servers: Sequence[int] = SERVERS) -> Iterator[tuple[list[str], list[str]]]:
    """Tokens by the gateway, each verified by the servers: their kids, and what went wrong."""
    signed: list[str] = []
    failures: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                token = client.token()
                kid = kid_of(token)
                for host in servers:
                    if not client.is_active(host, token):
                        failures.append(f"server {host} refused a token of {kid}")
                    if kid not in client.kids(host):
                        failures.append(f"server {host} does not publish {kid}")
                signed.append(kid)
            except httpx.HTTPError as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield signed, failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def keys(lab: RunningLab, host: int) -> dict[str, str]:
    """The kid of each state."""
    done = lab.ssh("sudo oauth-server keys list --json", host)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {key["state"]: key["kid"] for key in found["keys"]}


def until(met: Callable[[], bool], failures: Sequence[str] = ()) -> None:
    """Wait for it, as long as nothing fails."""
    deadline = time.monotonic() + 60
    while not met():
        assert not failures, failures[:5]
        assert time.monotonic() < deadline
        time.sleep(0.2)
