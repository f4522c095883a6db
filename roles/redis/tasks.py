"""Redis: the server's shared state, on a socket of this host, for whoever has the password."""

from __future__ import annotations

from pyinfra.api import deploy
from pyinfra.api.operation import OperationMeta

from roles.drop_ins import drop_in
from roles.files import managed_file, render
from roles.hostdata import RedisData
from roles.paths import Directory, directories
from roles.platform import Platform
from roles.redis.credentials import ACL, HASH, PASSWORD, credentials
from roles.redis.layout import LAYOUTS
from roles.redis.trial import trial
from roles.services import running

_CONFIG = "/etc/redis/redis.conf"


@deploy("redis")
def redis(data: RedisData, platform: Platform) -> OperationMeta:
    """The operation that makes the server's password, which the server runs after."""
    layout = LAYOUTS[platform]

    directories(
        name="Take /etc/redis from Redis [STATE-03]",
        wanted=[Directory("/etc/redis", group="redis", mode="2750")],  # setgid as in Debian
    )
    users = credentials(
        name="Make the server's password and its ACL [STATE-03]",
        acl=render("redis/users.acl.j2", password_sha256=HASH),
    )
    config = managed_file(
        name="Write redis.conf [STATE-01] [STATE-02]",
        path=_CONFIG,
        content=render("redis/redis.conf.j2", maxmemory=data.maxmemory, acl=ACL),
        group="redis",
        mode="0640",
        check=trial('"$candidate"'),
    )
    confined = drop_in(
        layout.service,
        render("redis/portcullis.conf.j2", layout=layout, systemd=platform.systemd),
        of="Redis'",
        control="SANDBOX-02",
    )
    running(
        name="Run Redis [STATE-04]",
        service=layout.service,
        feeds=[_CONFIG, ACL, PASSWORD, confined.path],
        after=(users, config, confined.written),
    )
    return users
