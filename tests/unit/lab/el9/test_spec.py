"""What rpmbuild is told; that it takes it is shown by each image that is built."""

from tests.lab.el9.packages import Extra
from tests.lab.el9.spec import Rpm, render

_REDIS = Rpm(
    "redis",
    "7.0.15",
    requires=("glibc",),
    provides=("a-database",),
    files=("/etc/redis/redis.conf", "/usr/bin/redis-server", "/usr/share/a [b]"),
    directories=("/var/lib/redis",),
    extra=Extra(
        requires=("logrotate",),
        accounts=(("redis", "/var/lib/redis"),),
        modes={
            "/etc/redis/redis.conf": ("redis", "root", "0640"),
            "/var/lib/redis": ("redis", "redis", "0750"),
        },
    ),
)


def test_a_package_has_its_files_modes_accounts_and_needs() -> None:
    lines = render("collection", "/tree", [_REDIS]).splitlines()
    assert {
        "%package -n redis",
        "Version: 7.0.15",
        "Requires: glibc",
        "Requires: logrotate",
        "Requires(pre): shadow-utils",
        "Provides: a-database",
        '%config(noreplace) %attr(0640, redis, root) "/etc/redis/redis.conf"',
        '"/usr/bin/redis-server"',
        '"/usr/share/a \\[b\\]"',
        '%dir %attr(0750, redis, redis) "/var/lib/redis"',
    } <= set(lines)
    (account,) = [line for line in lines if "useradd" in line]
    assert account.startswith("getent passwd redis > /dev/null || ")


def test_every_package_is_called_a_layouts() -> None:
    text = render("collection", "/tree", [Rpm("bash", "5.2")])
    assert "Summary: bash in EL 9's layout, from Debian's files" in text
    assert "%pre" not in text
