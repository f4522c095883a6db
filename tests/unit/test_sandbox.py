"""What the rendered units leave open, in systemd's own measure: an accidental loosening fails.

`systemd-analyze security --offline` counts from 0, confined, to 10. A drop-in is measured over a
unit that has nothing of its own, so that no distribution's change can cover for it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost
from tests.unit.test_deploy import data, deploy

__all__ = ["data"]

BARE = "[Service]\nExecStart=/bin/true\n"
SYSTEM = "/etc/systemd/system"

# As measured. Each is below what is promised: 1.5, and for drop-ins 3.0, 3.0, 4.5 and 1.1.
BOUNDS = {
    "oauth-server.service": 0.2,
    "oauth-key-rotate.service": 0.2,
    "oauth-clock.service": 0.4,
    "portcullis-firewall.service": 1.4,
    "nginx.service": 2.6,
    "chrony.service": 2.8,
    "chronyd.service": 2.8,
    "fail2ban.service": 2.1,
    "redis.service": 1.1,
}
# Debian's Redis is confined by Debian's unit.
BY_THE_DISTRIBUTION = {"redis-server.service"}


def _version() -> int:
    if shutil.which("systemd-analyze") is None:
        return 0
    said = subprocess.run(
        ["systemd-analyze", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return int(re.findall(r"\d+", said)[0])


needs_systemd = pytest.mark.skipif(
    _version() < 250, reason="systemd-analyze security --offline came with systemd 250"
)


@pytest.fixture
def units(data: dict[str, Any], platform: Platform) -> dict[str, str]:
    """The text of each service, ours and others' with our drop-in, by name."""
    host = FakeHost(platform)
    host.run(deploy, data=data)
    found = {}
    for path, file in host.files.items():
        name = path.removeprefix(f"{SYSTEM}/").removesuffix(".d/portcullis.conf")
        if path.startswith(SYSTEM) and name.endswith(".service"):
            found[name] = file.content if path.endswith(".service") else BARE + file.content
            if name.startswith("redis"):
                found[name] = found[name].replace(BARE, f"{BARE}User=redis\n")
    return found


def exposure(directory: Path, name: str, text: str) -> float:
    (directory / name).write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=yes", str(directory / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    overall = re.search(r"Overall exposure level for \S+: ([0-9.]+) ", said.stdout)
    assert overall, said.stdout + said.stderr
    return float(overall[1])


@needs_systemd
@pytest.mark.parametrize("platform", Platform)
def test_no_unit_is_more_exposed_than_it_was(
    platform: Platform, units: dict[str, str], tmp_path: Path
) -> None:
    measured = {
        name: exposure(tmp_path, name, text)
        for name, text in units.items()
        if name not in BY_THE_DISTRIBUTION or platform.is_el
    }
    assert len(measured) >= 4
    loose = {n: found for n, found in measured.items() if found > BOUNDS[n]}
    assert loose == {}


@needs_systemd
@pytest.mark.parametrize("platform", [Platform.DEBIAN_12])
@pytest.mark.parametrize(
    "lost",
    [
        "PrivateNetwork",
        "PrivateUsers",
        "SystemCallFilter",
        "CapabilityBoundingSet",
        "ProtectSystem",
    ],
)
def test_a_lost_line_is_found(units: dict[str, str], lost: str, tmp_path: Path) -> None:
    """Else the test above would hold nothing."""
    name = "oauth-server.service"
    text = re.sub(rf"^{lost}=.*\n", "", units[name], flags=re.MULTILINE)
    assert exposure(tmp_path, name, text) > BOUNDS[name]


@pytest.mark.parametrize("platform", Platform)
def test_every_unit_is_bounded_and_leaves_no_core(
    units: dict[str, str],
) -> None:
    for name, text in units.items():
        assert "\nLimitCORE=0\nCoredumpFilter=0\n" in text, name
        assert "\nUMask=0077\n" in text, name
        if not name.startswith("redis"):  # maxmemory bounds it, by the inventory
            assert re.search(r"^MemoryMax=\d+M$", text, re.MULTILINE), name
            assert re.search(r"^TasksMax=\d+$", text, re.MULTILINE), name
