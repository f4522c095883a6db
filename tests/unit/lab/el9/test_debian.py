"""What is read of Debian's packages."""

import pytest

from tests.lab.el9 import debian

_STATUS = """\
Package: redis-server
Status: install ok installed
Version: 5:7.0.15-1~deb12u10
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: lsb-base (>= 3.2-14), cron | anacron:any, redis-tools (= 5:7.0.15-1)
Description: persistent key-value database
 with Depends: none, here
 .
 of its own

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_of_the_status_file_what_is_installed_is_read_with_its_dependencies() -> None:
    (redis,) = debian.stanzas(_STATUS)
    assert (redis.name, redis.version) == ("redis-server", "5:7.0.15-1~deb12u10")
    assert redis.depends == (
        ("init-system-helpers",),
        ("lsb-base",),
        ("cron", "anacron"),
        ("redis-tools",),
    )


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("5:7.0.15-1~deb12u10", "7.0.15"),
        ("1.31", "1.31"),
        ("1:1.0", "1.0"),
        ("3.1-20221030-2", "3.1.20221030"),
        ("4.18.0+dfsg-1+deb12u1", "4.18.0+dfsg"),
    ],
)
def test_a_version_becomes_one_that_rpm_takes(version: str, upstream: str) -> None:
    assert debian.upstream(version) == upstream
