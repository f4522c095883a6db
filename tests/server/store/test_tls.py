"""Redis on another host: everything is as with a socket, and nobody else is taken for it."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.place import TlsHost
from tests.redis.programs import distribution
from tests.redis.server import PASSWORD, Server
from tests.server.process import Site
from tests.store_contract import StoreContract


@dataclass
class Remote:
    """A Redis that listens on loopback, with a certificate for 127.0.0.1."""

    server: Server
    port: int
    ca_file: Path
    arguments: list[str]

    def store(self, host: str = "127.0.0.1", ca_file: Path | None = None) -> RedisStore:
        return RedisStore(
            TlsHost(host, self.port, ca_file or self.ca_file), "oauth_server", PASSWORD
        )


@pytest.fixture(scope="module")
def remote(site: Site) -> Iterator[Remote]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        *("--tls-port", str(port), "--bind", "127.0.0.1", "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(site.certificate), "--tls-key-file", str(site.certificate_key)),
        *("--tls-protocols", "TLSv1.3"),
    ]
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Server(Path(directory), distribution()).start(*arguments)
        try:
            yield Remote(server, port, site.certificate, arguments)
        finally:
            server.kill()


class TestRedisStoreOverTls(StoreContract):
    @pytest.fixture
    async def store(self, remote: Remote) -> AsyncIterator[RedisStore]:
        store = remote.store()
        yield store
        await store.close()


async def _reason(store: RedisStore) -> str | None:
    start = time.monotonic()
    with pytest.raises(UnavailableError) as refused:
        await store.ping()
    assert time.monotonic() - start < 1.5
    await store.close()
    return refused.value.reason


@pytest.mark.anyio
async def test_a_host_of_another_name_gets_no_password(remote: Remote) -> None:
    """`localhost` leads there, too, and is not what the certificate names."""
    assert await _reason(remote.store(host="localhost")) == "store_connection"


@pytest.mark.anyio
async def test_a_host_that_another_ca_vouches_for_gets_no_password(remote: Remote) -> None:
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    assert await _reason(remote.store(ca_file=system)) == "store_connection"


@pytest.mark.anyio
async def test_a_redis_without_tls_is_refused(remote: Remote) -> None:
    remote.server.kill()
    plain = [item for item in remote.arguments if item not in {"--tls-port", str(remote.port)}]
    remote.server.start(*plain, "--port", str(remote.port))
    assert await _reason(remote.store()) in {"store_connection", "store_timeout"}
    remote.server.kill()
    remote.server.start(*remote.arguments)
    store = remote.store()
    await store.ping()
    await store.close()
