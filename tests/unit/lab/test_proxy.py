"""The package proxy, between a client and a mirror that both run here."""

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.lab.proxy import Cache, Proxy

PACKAGE = "/debian/pool/main/h/hello/hello_1.0_all.deb"
CONTENT = b"a package" * 100_000


class Mirror(ThreadingHTTPServer):
    """Counts what it is asked, and can cut its answer off or take its time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MirrorHandler)
        self.asked: list[str] = []
        self.sent = len(CONTENT)
        self.go = threading.Event()
        self.go.set()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _MirrorHandler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.headers["If-Modified-Since"]:
            self.send_response(304)
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://{self.server.authority}{PACKAGE}")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.flush()
        self.server.go.wait(10)
        self.wfile.write(CONTENT[: self.server.sent])

    def log_message(self, _format: str, *values: object) -> None:
        """Stay quiet."""


def serve(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    for _ in serve(server):
        yield server


@pytest.fixture
def proxy(mirror: Mirror, tmp_path: Path) -> Iterator[Proxy]:
    server = Proxy(("127.0.0.1", 0), frozenset({mirror.authority}), Cache(tmp_path), {})
    for _ in serve(server):
        yield server


def ask(proxy: Proxy, url: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)
    with closing(connection):
        connection.request("GET", url, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


def files(directory: Path) -> list[Path]:
    return [file for file in directory.rglob("*") if file.is_file()]


def test_a_package_is_fetched_once_and_then_served_from_the_cache(
    proxy: Proxy, mirror: Mirror
) -> None:
    url = f"http://{mirror.authority}{PACKAGE}"
    assert [ask(proxy, url) for _ in range(3)] == [(200, CONTENT)] * 3
    assert mirror.asked == [PACKAGE]


def test_hosts_that_ask_at_once_share_one_download(proxy: Proxy, mirror: Mirror) -> None:
    mirror.go.clear()
    answers: list[tuple[int, bytes]] = []
    url = f"http://{mirror.authority}{PACKAGE}"
    hosts = [threading.Thread(target=lambda: answers.append(ask(proxy, url))) for _ in range(8)]
    for host in hosts:
        host.start()
    mirror.go.set()
    for host in hosts:
        host.join()
    assert answers == [(200, CONTENT)] * 8
    assert mirror.asked == [PACKAGE]


def test_what_may_change_is_asked_for_each_time(proxy: Proxy, mirror: Mirror) -> None:
    url = f"http://{mirror.authority}/debian/dists/bookworm/InRelease"
    assert ask(proxy, url)[0] == 200
    assert ask(proxy, url, **{"If-Modified-Since": "Mon, 23 Nov 2026 00:00:00 GMT"})[0] == 304
    assert len(mirror.asked) == 2


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        pytest.param(PACKAGE, True, id="package"),
        pytest.param(f"/debian/dists/x/main/by-hash/SHA256/{'0f' * 32}", True, id="by-hash"),
        pytest.param("/debian/dists/bookworm/InRelease", False, id="release"),
        pytest.param(f"{PACKAGE}?version=2", False, id="query"),
        pytest.param("/debian/pool/../../../etc/x.deb", False, id="dots"),
        pytest.param("/debian/pool/%2e%2e/%2e%2e/etc/x.deb", False, id="encoded-dots"),
        pytest.param("/debian/pool/x.deb.tmp", False, id="another-ending"),
    ],
)
def test_only_what_never_changes_has_a_place_in_the_cache(
    path: str, kept: bool, tmp_path: Path
) -> None:
    place = Cache(tmp_path).place(f"http://mirror.example{path}")
    assert (place is not None) is kept
    assert place is None or place.resolve().is_relative_to(tmp_path)


def test_a_download_that_is_cut_off_is_not_kept(
    proxy: Proxy, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.sent = 1000
    url = f"http://{mirror.authority}{PACKAGE}"
    with pytest.raises(http.client.IncompleteRead):
        ask(proxy, url)
    assert files(tmp_path) == []
    mirror.sent = len(CONTENT)
    assert ask(proxy, url) == (200, CONTENT)


def test_a_client_that_hangs_up_leaves_no_partial_file(
    proxy: Proxy, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.go.clear()
    url = f"http://{mirror.authority}{PACKAGE}"
    with socket.create_connection(("127.0.0.1", proxy.server_address[1])) as client:
        client.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.recv(10)
    mirror.go.set()
    # The second answer waits for the first one's file to be in its place.
    assert [ask(proxy, url) for _ in range(2)] == [(200, CONTENT)] * 2
    assert [file.read_bytes() for file in files(tmp_path)] == [CONTENT]


def test_a_mirror_that_is_down_is_a_bad_gateway(proxy: Proxy, mirror: Mirror) -> None:
    mirror.shutdown()
    mirror.server_close()
    assert ask(proxy, f"http://{mirror.authority}{PACKAGE}")[0] == 502


def test_a_mirrors_refusal_is_passed_on(proxy: Proxy, mirror: Mirror) -> None:
    assert ask(proxy, f"http://{mirror.authority}/missing")[0] == 404


def test_a_redirection_is_followed_for_hosts_that_cannot(proxy: Proxy, mirror: Mirror) -> None:
    assert ask(proxy, f"http://{mirror.authority}/elsewhere") == (200, CONTENT)


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/pool/x.deb",
        "/pool/x.deb",
        "file:///etc/passwd",
        "http://[x/",
        "http://127.0.0.1:99999/",
    ],
)
def test_nothing_but_the_mirrors_is_asked(url: str, proxy: Proxy, mirror: Mirror) -> None:
    with socket.create_connection(("127.0.0.1", proxy.server_address[1]), timeout=10) as client:
        client.sendall(f"GET {url} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 403"
    assert mirror.asked == []


def test_a_tunnel_leads_to_a_mirror(proxy: Proxy, mirror: Mirror) -> None:
    tunnel = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)
    tunnel.set_tunnel("127.0.0.1", mirror.server_address[1])
    with closing(tunnel):
        tunnel.request("GET", PACKAGE)
        assert tunnel.getresponse().read() == CONTENT


def test_a_tunnel_leads_nowhere_else(proxy: Proxy) -> None:
    tunnel = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)
    tunnel.set_tunnel("127.0.0.1", 22)
    with closing(tunnel), pytest.raises(OSError, match="403"):
        tunnel.request("GET", "/")


def test_behind_a_proxy_of_the_machine_it_goes_through_that(
    proxy: Proxy, mirror: Mirror, tmp_path: Path
) -> None:
    """The machine's own proxy is played by another one of ours."""
    address = f"http://127.0.0.1:{proxy.server_address[1]}"
    outer = frozenset({mirror.authority})
    chained = Proxy(
        ("127.0.0.1", 0), outer, Cache(tmp_path / "own"), {"http": address, "https": address}
    )
    for _ in serve(chained):
        url = f"http://{mirror.authority}{PACKAGE}"
        assert ask(chained, url) == ask(proxy, url) == (200, CONTENT)
        assert (tmp_path / mirror.authority / PACKAGE.lstrip("/")).exists()
        tunnel = http.client.HTTPConnection("127.0.0.1", chained.server_address[1], timeout=10)
        tunnel.set_tunnel("127.0.0.1", mirror.server_address[1])
        with closing(tunnel):
            tunnel.request("GET", "/debian/dists/x")
            assert tunnel.getresponse().read() == CONTENT


def test_what_nobody_asked_for_in_a_month_is_forgotten(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for name, age in (("old.deb", 31), ("new.deb", 29)):
        file = tmp_path / name
        file.touch()
        seconds = file.stat().st_mtime - age * 24 * 3600
        os.utime(file, (seconds, seconds))
    cache.forget_unused()
    assert [file.name for file in files(tmp_path)] == ["new.deb"]
