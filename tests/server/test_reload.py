"""SIGHUP: what is new counts from the next request on, and nobody notices anything else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from oauth_server.keys import creation
from tests.server.conftest import _certificate
from tests.server.process import Server, Site, configure, serving, wait_for
from tests.server.test_metrics import samples, value
from tests.server.test_token import GRANT, basic, claims_of


@pytest.fixture
def own_site(tmp_path: Path, site: Site) -> Site:
    """Files that a test may change."""
    directory = tmp_path / "site"
    directory.mkdir()
    shutil.copytree(site.keys, directory / "keys", symlinks=True)
    own = {"keys": directory / "keys"}
    for name in ("certificate", "certificate_key", "clients", "users"):
        own[name] = Path(shutil.copy(getattr(site, name), directory))
    return replace(site, **own)


@pytest.fixture
def reloadable(tmp_path: Path, own_site: Site) -> Iterator[Server]:
    with serving(tmp_path, own_site) as running:
        yield running


def hang_up(server: Server) -> None:
    """Until systemd would know that it is over."""
    server.send(signal.SIGHUP)
    states: list[str] = []
    while not states or states[-1] != "READY=1":
        states.append(server.notified.recv(100).decode())
    assert states[0].startswith("RELOADING=1\nMONOTONIC_USEC=")


def change_clients(site: Site, change: Any) -> None:
    _change(site.clients, "clients", change)


def change_users(site: Site, change: Any) -> None:
    _change(site.users, "users", change)


def _change(file: Path, name: str, change: Any) -> None:
    document = json.loads(file.read_text())
    change(document[name])
    file.write_text(json.dumps(document))


def refusals(server: Server) -> list[str]:
    """What the journal says, which is nothing but refusals."""
    start = "ERROR oauth_server: not reloaded, the old one stays: "
    lines = server.journal.splitlines()
    # What is wrong with the keys is found without a reload, too.
    lines = [line for line in lines if not line.startswith("ERROR oauth_server: the old keys stay")]
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines]


def token(http: httpx.Client, client_id: str = "gateway_01") -> httpx.Response:
    return http.post("/token", data=GRANT, headers=basic(client_id))


def test_clients_come_and_go(reloadable: Server, own_site: Site) -> None:
    def swap(entries: list[dict[str, object]]) -> None:
        entries.append({**entries[0], "client_id": "newcomer"})
        del entries[0]

    with reloadable.client() as http:
        assert token(http, "newcomer").status_code == 401
        change_clients(own_site, swap)
        assert token(http, "newcomer").status_code == 401
        hang_up(reloadable)
        assert token(http, "newcomer").status_code == 200
        assert token(http).status_code == 401
    assert value(samples(reloadable), "reloads_total", result="success") == 1


def test_settings_are_taken_over(tmp_path: Path, reloadable: Server, own_site: Site) -> None:
    with reloadable.client() as http:
        assert token(http).json()["expires_in"] == 600
        configure(tmp_path, own_site, access_token_lifetime=60)
        hang_up(reloadable)
        assert token(http).json()["expires_in"] == 60


def test_what_is_invalid_is_refused_as_a_whole(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    configure(tmp_path, own_site, access_token_lifetime=60)
    change_clients(own_site, lambda entries: entries[0].update(scope="a  b"))
    change_users(own_site, lambda entries: entries[0].update(username="Alice"))
    (own_site.keys / "ring" / "active").unlink()
    own_site.certificate_key.write_text("nonsense")
    with reloadable.client() as http:
        hang_up(reloadable)
        assert token(http).json()["expires_in"] == 600
    lines = refusals(reloadable)
    assert len(lines) == 4
    assert lines[0].startswith(f"{own_site.clients}: clients[0].scope: must be scopes")
    assert lines[1].startswith(f"{own_site.users}: users[0].username: must be 1 to 64")
    assert lines[2].startswith(f"{own_site.keys}/ring/active: there is none")
    assert lines[3].startswith(f"{own_site.certificate} with {own_site.certificate_key}: ")
    assert value(samples(reloadable), "reloads_total", result="failure") == 1


def test_settings_that_are_invalid_are_refused(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    configure(tmp_path, own_site, access_token_lifetime=60, code_timeout=601)
    hang_up(reloadable)
    with reloadable.client() as http:
        assert token(http).json()["expires_in"] == 600
    (line,) = refusals(reloadable)
    assert line == f"{tmp_path}/server.yaml: code_timeout: must be int <= 600"


def test_a_user_must_not_get_a_clients_name(reloadable: Server, own_site: Site) -> None:
    """Both become the `sub` of tokens: RFC 9700 §4.15."""
    change_users(own_site, lambda entries: entries[0].update(username="gateway_01"))
    hang_up(reloadable)
    (line,) = refusals(reloadable)
    assert line.startswith(f"{own_site.users}: gateway_01: is a client_id, too")


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"log_file": "/dev/null"}, "log_file"), ({"store": {"url": "unix:///x"}}, "store")],
    ids=["log-file", "store"],
)
def test_what_needs_a_restart_is_refused(
    tmp_path: Path, reloadable: Server, own_site: Site, changes: dict[str, Any], name: str
) -> None:
    configure(tmp_path, own_site, access_token_lifetime=60, **changes)
    hang_up(reloadable)
    with reloadable.client() as http:
        assert token(http).json()["expires_in"] == 600
    assert refusals(reloadable) == [f"{name} has changed, which needs a restart"]


def test_another_key_signs(reloadable: Server, own_site: Site) -> None:
    with reloadable.client() as http:
        old = http.get("/.well-known/jwks.json").json()
        shutil.rmtree(own_site.keys)
        kid = creation.init(own_site.keys)
        hang_up(reloadable)
        new = http.get("/.well-known/jwks.json").json()
        assert kid in {key["kid"] for key in new["keys"]}
        assert new != old
        assert claims_of(token(http).json()["access_token"], http)["client_id"] == "gateway_01"
        assert http.get("/health/ready").status_code == 200
    # The old one's threads end; one that loads, and the loop's, are there beside those that sign.
    wanted = len(os.sched_getaffinity(0)) + 3
    end = time.monotonic() + 5
    while len(threads(reloadable)) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert len(threads(reloadable)) == wanted


def threads(server: Server) -> list[Path]:
    return list(Path(f"/proc/{server.process.pid}/task").iterdir())


def peer_certificate(server: Server, trust: ssl.SSLContext) -> bytes | None:
    with (
        socket.create_connection(server.tcp, timeout=10) as connection,
        trust.wrap_socket(connection, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert(binary_form=True)


def test_another_certificate_is_shown_to_who_connects_anew(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    before = peer_certificate(reloadable, reloadable.tls())
    (tmp_path / "new").mkdir()
    with reloadable.client() as connected:
        assert token(connected).status_code == 200
        replace_certificate(own_site, _certificate(tmp_path / "new"))
        hang_up(reloadable)
        assert token(connected).status_code == 200
    after = peer_certificate(reloadable, reloadable.tls())
    assert before != after


def replace_certificate(site: Site, new: tuple[Path, Path]) -> None:
    for file, name in zip(new, (site.certificate, site.certificate_key), strict=True):
        shutil.copy(file, name)


@pytest.mark.parametrize(
    ("address", "lifetime", "rule"),
    [
        pytest.param("127.0.0.1", timedelta(minutes=-1), "expired on ", id="expired"),
        pytest.param(
            "127.0.0.2",
            timedelta(days=1),
            "is not a certificate of 127.0.0.1, the issuer's host (RFC 9525 §6)",
            id="another-name",
        ),
    ],
)
def test_a_certificate_that_clients_would_refuse_does_not_replace_one_that_works(
    tmp_path: Path,
    reloadable: Server,
    own_site: Site,
    address: str,
    lifetime: timedelta,
    rule: str,
) -> None:
    before = peer_certificate(reloadable, reloadable.tls())
    expires = value(samples(reloadable), "certificate_expires_timestamp_seconds")
    shutil.copy(own_site.certificate, tmp_path / "first.pem")
    (tmp_path / "new").mkdir()
    replace_certificate(own_site, _certificate(tmp_path / "new", address, lifetime))
    configure(tmp_path, own_site, access_token_lifetime=60)
    hang_up(reloadable)
    (line,) = refusals(reloadable)
    assert line.startswith(f"{own_site.certificate}: {rule}")
    trust = ssl.create_default_context(cafile=str(tmp_path / "first.pem"))
    assert peer_certificate(reloadable, trust) == before
    assert value(samples(reloadable), "certificate_expires_timestamp_seconds") == expires


def test_a_certificate_that_has_expired_keeps_nothing_else_from_being_taken_over(
    tmp_path: Path, own_site: Site
) -> None:
    """The one that stays has no say: a client must be shut out all the same."""
    (tmp_path / "new").mkdir()
    short = _certificate(tmp_path / "new", lifetime=timedelta(seconds=-1))
    replace_certificate(own_site, short)
    with serving(tmp_path, own_site) as running:
        configure(tmp_path, own_site, access_token_lifetime=60)
        hang_up(running)
        assert refusals(running) == []
        with running.gateway() as http:
            assert token(http).json()["expires_in"] == 60


def test_the_metric_says_when_the_present_certificate_expires(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    (tmp_path / "new").mkdir()
    replace_certificate(own_site, _certificate(tmp_path / "new", lifetime=timedelta(days=9)))
    hang_up(reloadable)
    [served] = x509.load_pem_x509_certificates(own_site.certificate.read_bytes())
    seen = value(samples(reloadable), "certificate_expires_timestamp_seconds")
    assert seen == served.not_valid_after_utc.timestamp()
    assert 8.9 < (seen - time.time()) / 86400 < 9.1


def test_a_request_that_had_begun_ends_with_what_it_began_with(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    body = b"grant_type=client_credentials"
    head = (
        f"POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()['Authorization']}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with reloadable.connect() as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.3)
        configure(tmp_path, own_site, access_token_lifetime=60)
        shutil.rmtree(own_site.keys)
        creation.init(own_site.keys)
        hang_up(reloadable)
        connection.sendall(body[5:])
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b'"expires_in":600' in received


def test_50_reloads_under_load_fail_no_request_and_leave_nothing_behind(
    tmp_path: Path, reloadable: Server, own_site: Site
) -> None:
    statuses: list[int] = []
    broken: list[Exception] = []
    over = threading.Event()

    def ask() -> None:
        with reloadable.client() as http:
            while not over.is_set():
                try:
                    statuses.append(token(http).status_code)
                except httpx.HTTPError as error:
                    broken.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    wait_for(lambda: len(statuses) > 40)  # everybody has connected
    for _ in range(5):
        hang_up(reloadable)
    before = footprint(reloadable)
    for number in range(50):
        configure(tmp_path, own_site, access_token_lifetime=60 + number)
        hang_up(reloadable)
    after = footprint(reloadable)
    over.set()
    for thread in asking:
        thread.join()
    assert set(statuses) == {200}
    assert broken == []
    assert len(statuses) > 100
    # Reading its files opens some for a moment; a leak would be one a reload, or fifty.
    assert after[0] - before[0] < 5
    assert after[1] - before[1] < 5
    assert after[2] - before[2] < 6_000_000
    assert reloadable.journal == ""


def footprint(server: Server) -> tuple[int, int, int]:
    """Threads, descriptors, bytes."""
    process = Path(f"/proc/{server.process.pid}")
    pages = int((process / "statm").read_text().split()[1])
    return (
        len(list((process / "task").iterdir())),
        len(list((process / "fd").iterdir())),
        pages * 4096,
    )


def test_a_reload_of_many_keys_holds_up_nobody(reloadable: Server, own_site: Site) -> None:
    """They are read in another thread, for the check and for the use."""

    def add_devices(entries: list[dict[str, Any]]) -> None:
        (device,) = [entry for entry in entries if entry["client_id"] == "device"]
        (key,) = device["jwks"]["keys"]
        keys = [{**key, "kid": str(number)} for number in range(10)]
        entries += [
            {**device, "client_id": f"device_{number}", "jwks": {"keys": keys}}
            for number in range(3000)
        ]

    change_clients(own_site, add_devices)
    reloadable.send(signal.SIGHUP)
    over, waited = 0.0, []
    while not over:
        begun = time.monotonic()
        over = value(samples(reloadable), "reloads_total", result="success")
        waited.append(time.monotonic() - begun)
    # One step takes a tenth of it, for which a file of this size is in one piece.
    assert max(waited) < sum(waited) / 3


def test_many_hang_ups_at_once_are_one_or_two_reloads(reloadable: Server) -> None:
    for _ in range(20):
        reloadable.send(signal.SIGHUP)
    wait_for(lambda: value(samples(reloadable), "reloads_total", result="success") >= 1)
    with reloadable.client() as http:
        assert token(http).status_code == 200
    assert reloadable.process.poll() is None
