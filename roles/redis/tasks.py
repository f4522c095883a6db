"""Redis: the server's shared state, on a socket of this host, for whoever has the password."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import deploy
from pyinfra.api.operation import OperationMeta

from roles.drop_ins import drop_in
from roles.files import managed_file, render
from roles.hostdata.services import RedisData
from roles.paths import Directory, directories
from roles.platform import Platform
from roles.redis.credentials import ACL, HASH, PASSWORD, credentials
from roles.redis.layout import LAYOUTS, Layout
from roles.redis.shared import shared_acl
from roles.redis.trial import trial
from roles.services import running
from roles.topology import REDIS_PORT

_CONFIG = "/etc/redis/redis.conf"
_CERTIFICATE = "/etc/oauth2/certs/server.pem"
_KEY = "/etc/oauth2/certs/server.key"


@dataclass(frozen=True)
class Tls:
    """A port, and where Redis finds its certificate and key."""

    port: int
    certificate: str
    key: str


@deploy("redis")
def redis(
    data: RedisData,
    platform: Platform,
    servers: tuple[str, ...] = (),
    clients: tuple[str, ...] = (),
) -> OperationMeta:
    """The operation that makes the server's password, which the server runs after.

    `servers` are the hosts that make their own passwords instead; `clients` are the addresses of
    those that come over the network, by TLS with this host's certificate.
    """
    layout = LAYOUTS[platform]
    tls = _tls(layout) if clients else None

    directories(
        name="Take /etc/redis from Redis [STATE-03]",
        wanted=[Directory("/etc/redis", group="redis", mode="2750")],  # setgid as in Debian
    )
    if servers:
        users = shared_acl(name="Write the servers' ACL [STATE-03]", servers=servers)
    else:
        users = credentials(
            name="Make the server's password and its ACL [STATE-03]",
            acl=render("redis/users.acl.j2", password_sha256=HASH),
        )
    config = managed_file(
        name="Write redis.conf [STATE-01] [STATE-02]",
        path=_CONFIG,
        content=render("redis/redis.conf.j2", maxmemory=data.maxmemory, acl=ACL, tls=tls),
        group="redis",
        mode="0640",
        check=trial('"$candidate"' + (" --tls-port 0" if tls else "")),
    )
    confined = drop_in(
        layout.service,
        render(
            "redis/portcullis.conf.j2",
            layout=layout,
            systemd=platform.systemd,
            clients=clients,
            certificate=_CERTIFICATE,
            key=_KEY,
        ),
        of="Redis'",
        control="SANDBOX-02",
    )
    running(
        name="Run Redis [STATE-04]",
        service=layout.service,
        feeds=[
            *(_CONFIG, ACL),
            # Of a host on its own; a fleet's servers have theirs elsewhere.
            *(() if servers else (PASSWORD,)),
            confined.path,
            # systemd hands a credential over at a start alone.
            *((_CERTIFICATE, _KEY) if tls else ()),
        ],
        after=(users, config, confined.written),
    )
    return users


def _tls(layout: Layout) -> Tls:
    given = f"/run/credentials/{layout.service}"
    return Tls(REDIS_PORT, f"{given}/server.pem", f"{given}/server.key")
