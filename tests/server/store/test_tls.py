"""Redis on another host: the same store over TLS, by the deploy's own redis.conf.

The Redis 6 that the other tests start is built without TLS.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Tls as Endpoint
from tests.redis.programs import distribution
from tests.redis.server import PASSWORD, Server, Tls
from tests.store_contract.whole import StoreContract
from tests.unit.roles.certificate_factory import Entity

pytestmark = pytest.mark.anyio

NAME = "auth.example.net"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Remote:
    """A Redis that is reached over TLS; its certificate says NAME."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ca = Entity(ca=True, common_name="ours")
        leaf = Entity(NAME, issuer=ca)
        self.ca_file = self.written("ca.pem", ca.pem)
        self.tls = Tls(
            free_port(), self.written("leaf.pem", leaf.pem), self.written("leaf.key", leaf.key_pem)
        )
        self.server = Server(directory, distribution(), tls=self.tls).start()

    def written(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def store(self, *, name: str = NAME, ca_file: Path | None = None) -> RedisStore:
        endpoint = Endpoint("127.0.0.1", self.tls.port, name=name, ca_file=ca_file or self.ca_file)
        return RedisStore(endpoint, "oauth_server", PASSWORD)


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        made = Remote(Path(directory))
        yield made
        made.server.kill()


@pytest.fixture
async def store(remote: Remote) -> AsyncIterator[RedisStore]:
    store = remote.store()
    yield store
    await store.close()


class TestRedisStoreOverTls(StoreContract):
    """On the fixture `store`."""


async def refusal(store: RedisStore) -> str:
    begun = time.monotonic()
    with pytest.raises(UnavailableError) as refused:
        await store.ping()
    await store.close()
    assert time.monotonic() - begun < 2
    assert PASSWORD not in f"{refused.value} {refused.value.reason}"
    return refused.value.reason or ""


async def test_a_certificate_of_another_name_is_refused(remote: Remote) -> None:
    assert await refusal(remote.store(name="other.example.net")) == "store_connection"


async def test_a_certificate_of_another_ca_is_refused(remote: Remote) -> None:
    other = remote.written("other.pem", Entity(ca=True, common_name="others").pem)
    assert await refusal(remote.store(ca_file=other)) == "store_connection"


async def test_nothing_is_sent_to_who_speaks_no_tls(remote: Remote) -> None:
    """The password least of all."""
    heard = b""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            nonlocal heard
            peer, _ = listener.accept()
            with peer:
                heard = peer.recv(65536)
                peer.sendall(b"+OK\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        store = RedisStore(
            Endpoint("127.0.0.1", listener.getsockname()[1], name=NAME, ca_file=remote.ca_file),
            "oauth_server",
            PASSWORD,
        )
        assert await refusal(store) == "store_connection"
        thread.join()
    assert heard[:1] == b"\x16"  # a TLS handshake
    assert b"AUTH" not in heard


async def test_a_handshake_that_nobody_answers_is_given_up_after_the_bound(remote: Remote) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        store = RedisStore(
            Endpoint("127.0.0.1", mute.getsockname()[1], name=NAME, ca_file=remote.ca_file),
            "oauth_server",
            PASSWORD,
        )
        assert await refusal(store) == "store_timeout"


async def test_it_is_tls_1_3_or_nothing(remote: Remote) -> None:

    context = ssl.create_default_context(cafile=remote.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", remote.tls.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname=NAME)


async def test_it_comes_back_after_redis_was_gone(remote: Remote) -> None:
    store = remote.store()
    await store.ping()
    remote.server.kill()
    with pytest.raises(UnavailableError):
        await store.ping()
    remote.server.start()
    await store.ping()
    await store.close()
