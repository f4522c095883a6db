"""Where Debian's files lie in EL 9's layout, and what their packages are called there."""

from pathlib import Path

import pytest

from roles.base.layout import PACKAGES
from roles.platform import PYTHONS, Platform
from tests.lab.el9 import packages, rpms


@pytest.mark.parametrize(
    ("debians", "els"),
    [
        ("/sbin/ip", "/usr/sbin/ip"),
        ("/lib/systemd/system/nginx.service", "/usr/lib/systemd/system/nginx.service"),
        ("/lib/systemd/system/redis-server.service", None),
        ("/etc/default/chrony", None),
        ("/etc/redis/redis.conf", "/etc/redis/redis.conf"),
        (
            "/usr/lib/python3/dist-packages/firewall/core/fw.py",
            "/usr/libexec/platform-python3.11/lib/python3/dist-packages/firewall/core/fw.py",
        ),
        ("/usr/lib/python3.11/os.py", "/usr/lib/python3.11/os.py"),
    ],
)
def test_a_file_lies_where_el_has_it_or_is_left_out(debians: str, els: str | None) -> None:
    assert packages.place(debians) == els


def test_the_layout_has_what_the_deploy_wants_on_el() -> None:
    """By the names that EL 9 has, which no test here can ask a real one for."""
    made = {packages.el_name(name) for name in (*packages.DOWNLOADED, *packages.TAKEN_OUT)}
    in_base = {"ca-certificates", "tar"}
    wanted = {*PACKAGES[Platform.EL_9], PYTHONS[Platform.EL_9].package}
    assert wanted <= made | set(packages.EXTRAS) | in_base


def test_what_comes_from_the_second_repository_is_in_no_other() -> None:
    assert {packages.el_name("fail2ban"), "fail2ban-systemd"} == packages.EPEL
    assert "epel-release" not in packages.EPEL


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("#!/usr/bin/python3\n", "#!/usr/libexec/platform-python\n"),
        ("#! /usr/bin/python3 -sE\n", "#!/usr/libexec/platform-python -sE\n"),
        ("#!/usr/bin/env python3\n", "#!/usr/libexec/platform-python\n"),
        ("#!/usr/bin/python3.11\n", "#!/usr/bin/python3.11\n"),
        ("#!/bin/sh\n", "#!/bin/sh\n"),
    ],
)
def test_scripts_of_the_system_run_on_its_own_python(first: str, then: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"{first}import this\n")
    script.chmod(0o750)
    rpms.with_platform_python(script)
    assert script.read_text() == f"{then}import this\n"
    assert script.stat().st_mode & 0o777 == 0o750
