from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import starlette

import oauth_server
from tests.server.process import ENVIRONMENT, Site, activated, configure, serving
from tests.server.test_token import GRANT, basic


def test_sigterm_finishes_what_is_in_flight(tmp_path: Path, site: Site) -> None:
    body = b"grant_type=client_credentials"
    head = (
        f"POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()['Authorization']}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with serving(tmp_path, site) as server, server.connect() as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.3)
        server.send(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[5:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(10) == 0
        assert server.journal == ""


def test_who_was_accepted_before_the_stop_may_still_ask(tmp_path: Path, site: Site) -> None:
    """Else a restart would cut off whoever had just connected."""
    with serving(tmp_path, site) as server, server.connect() as early:
        time.sleep(0.2)
        server.send(signal.SIGTERM)
        time.sleep(0.2)
        with server.connect() as late:
            early.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert early.recv(100).startswith(b"HTTP/1.1 200 ")
            assert server.process.wait(10) == 0
            # The queue is the next server's: nobody has read from this one, or reset it.
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.recv(1)


def test_a_request_that_never_ends_does_not_stop_the_stop(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site) as server, server.connect() as connection:
        connection.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        time.sleep(0.3)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 16


def test_idle_connections_do_not_hold_up_the_stop(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site) as server, server.client() as http, server.connect():
        http.get("/health/live")
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 3


def test_the_next_server_answers_who_came_while_there_was_none(tmp_path: Path, site: Site) -> None:
    """systemd holds the sockets: a restart refuses no connection."""
    with socket.socket(socket.AF_INET) as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        command = activated([tcp], "serve", "--config", str(configure(tmp_path, site)))

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, pass_fds=[tcp.fileno()], env=ENVIRONMENT)

        def fetch() -> int:
            url = f"https://127.0.0.1:{tcp.getsockname()[1]}/health/live"
            trust = ssl.create_default_context(cafile=str(site.certificate))
            return httpx.get(url, verify=trust, timeout=20).status_code

        first = start()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            assert fetch() == 200
            first.terminate()
            assert first.wait(10) == 0
            waiting = pool.submit(fetch)
            time.sleep(0.3)
            second = start()
            assert waiting.result() == 200
        second.terminate()
        assert second.wait(10) == 0


def test_overload_is_told_at_once_and_nothing_else_waits(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site) as server, server.client() as http:

        def ask(_: int) -> int:
            return http.post("/token", data=GRANT, headers=basic()).status_code

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            statuses = list(pool.map(ask, range(400)))
        assert set(statuses) <= {200, 503}
        assert statuses.count(200) > 50
        assert http.get("/health/ready").status_code == 200


def failure(arguments: list[str], **options: Any) -> str:
    done = subprocess.run(
        arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, **options
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return str(done.stderr)


def start_with(tmp_path: Path, site: Site, **settings: object) -> str:
    """What a server says that cannot start."""
    with socket.socket(socket.AF_INET) as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        command = activated([tcp], "serve", "--config", str(configure(tmp_path, site, **settings)))
        return failure(command, pass_fds=[tcp.fileno()])


def test_what_keeps_it_from_starting_is_one_line_that_names_it(tmp_path: Path, site: Site) -> None:
    none = tmp_path / "none"
    assert start_with(tmp_path, site, log_file=f"{none}/log") == (
        f"oauth-server: {none}/log: the log cannot be opened: No such file or directory\n"
    )
    assert start_with(tmp_path, site, keys_directory=str(none)) == (
        f"oauth-server: {none}/ring: No such file or directory; `oauth-server keys init` makes it\n"
    )
    assert start_with(tmp_path, site, clients_file=str(none)) == (
        f"oauth-server: {none}: No such file or directory\n"
    )
    assert start_with(tmp_path, site, certificate=str(none)) == (
        f"oauth-server: {none}: No such file or directory\n"
    )
    assert start_with(tmp_path, site, certificate_key=str(site.certificate)).startswith(
        f"oauth-server: {site.certificate} with {site.certificate}: cannot be used for TLS: "
    )
    store = {"url": "unix:///x", "username": "a", "password_file": str(none)}
    assert start_with(tmp_path, site, store=store) == (
        f"oauth-server: {none}: No such file or directory\n"
    )


def test_a_private_key_that_others_can_read_keeps_it_from_starting(
    tmp_path: Path, site: Site
) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(site.keys, keys, symlinks=True)
    private = (keys / "ring" / "active").resolve() / "private.pem"
    private.chmod(0o644)
    assert start_with(tmp_path, site, keys_directory=str(keys)) == (
        f"oauth-server: {private}: others than its owner can read or change it "
        "(mode 0644, must be 0600)\n"
    )


def test_without_sockets_it_says_what_is_missing(tmp_path: Path, site: Site) -> None:
    config = configure(tmp_path, site)
    said = failure([sys.executable, "-m", "oauth_server", "serve", "--config", str(config)])
    assert said.startswith("oauth-server: no sockets were passed: ")
    assert len(said.splitlines()) == 1


def test_it_runs_from_a_directory_alone(tmp_path: Path) -> None:
    """As a release does: without the environment, without site, from a copy of the packages."""
    release = tmp_path / "release"
    release.mkdir()
    site_packages = Path(starlette.__file__).parents[1]
    for package in site_packages.iterdir():
        if "pyc" not in package.name and not package.name.endswith(".dist-info"):
            (release / package.name).symlink_to(package)
    (release / "oauth_server").symlink_to(Path(oauth_server.__file__).parent)
    (release / "__main__.py").write_text(
        "import sys\nfrom oauth_server.cli import main\nsys.exit(main())\n"
    )
    command = [sys.executable, "-I", "-S", str(release)]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30)
    assert version.stdout == f"oauth-server {oauth_server.__version__}\n"
    refused = subprocess.run(
        [*command, "serve", "--config", "/nonexistent"], capture_output=True, text=True, timeout=30
    )
    assert refused.stderr == "oauth-server: /nonexistent: No such file or directory\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_somebody_elses_directory_gets_no_keys_of_root(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    os.chown(keys, 65534, 65534)
    said = failure([sys.executable, "-m", "oauth_server", "keys", "init", "--dir", str(keys)])
    # Root works as the owner, whom pytest's directory lets nowhere.
    assert said == f"oauth-server: {keys}: Permission denied\n"
    assert list(keys.iterdir()) == []
