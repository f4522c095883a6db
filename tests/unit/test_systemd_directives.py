"""Units have no directive that the oldest systemd of their platform does not know.

systemd passes over what it doesn't know with a word in the journal: a sandbox would have a hole,
and nothing would fail. On a host `systemd-analyze verify` finds that; here it is found without one.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost
from tests.unit.test_deploy import ACME, data, deploy

__all__ = ["data"]

# Of all minor releases: EL 9.0 had 250, later ones 252.
OLDEST = {
    Platform.UBUNTU_22_04: 249,
    Platform.EL_9: 250,
    Platform.DEBIAN_12: 252,
    Platform.UBUNTU_24_04: 255,
}

_OLD = (
    "After", "Backlog", "Before", "CapabilityBoundingSet", "ConditionCapability", "Conflicts",
    "DefaultDependencies",
    "Description",
    "DeviceAllow", "DevicePolicy", "DirectoryMode", "Environment", "ExecReload",
    "ExecStart", "ExecStartPost",
    "ExecStopPost", "Group", "LimitCORE", "LimitNOFILE", "ListenStream", "NoNewPrivileges",
    "PartOf", "PrivateNetwork", "PrivateTmp", "RemainAfterExit", "Requires",
    "Restart", "RestartSec", "Service",
    "SocketMode", "Sockets", "SupplementaryGroups", "SyslogIdentifier", "SystemCallErrorNumber",
    "SystemCallFilter", "TimeoutStartSec", "TimeoutStopSec", "Type", "UMask", "User", "WantedBy",
    "Wants",
    "WorkingDirectory",
)  # fmt: skip

# The version with which each came, from systemd's NEWS; 208 is "before 209", which is old enough.
SINCE = {
    **dict.fromkeys(_OLD, 208),
    "PrivateDevices": 209,
    "SystemCallArchitectures": 209,
    "RestrictAddressFamilies": 211,
    "RemoveIPC": 232,
    "ProtectHome": 214,
    "ProtectSystem": 214,
    "SocketUser": 214,
    "FileDescriptorName": 227,
    "OnCalendar": 212,
    "Persistent": 212,
    "RandomizedDelaySec": 229,
    "TasksMax": 227,
    "ReadOnlyPaths": 231,
    "StartLimitIntervalSec": 230,
    "MemoryDenyWriteExecute": 231,
    "MemoryMax": 231,
    "ReadWritePaths": 231,
    "RestrictRealtime": 231,
    "ProtectControlGroups": 232,
    "ProtectKernelModules": 232,
    "ProtectKernelTunables": 232,
    "MemorySwapMax": 232,
    "PrivateUsers": 232,
    "RuntimeDirectory": 211,
    "RestrictNamespaces": 233,
    "ConfigurationDirectory": 235,
    "IPAddressDeny": 235,
    "KeyringMode": 235,
    "LockPersonality": 235,
    "PrivateMounts": 239,
    "ProtectHostname": 242,
    "RestrictSUIDSGID": 242,
    "ProtectKernelLogs": 244,
    "CoredumpFilter": 246,
    "ProtectClock": 245,
    "ProtectProc": 247,
    "ProcSubset": 247,
    "ExecPaths": 248,
    "NoExecPaths": 248,
    "SocketBindDeny": 249,
    "PrivateIPC": 248,
    # Not used, so that what is too new is seen to be found.
    "LoadCredentialEncrypted": 250,
    "RestrictFileSystems": 250,
}


def too_new(unit: str, version: int) -> list[str]:
    """The directives of a unit's text that came after a version, and those that SINCE lacks."""
    used = re.findall(r"^([A-Za-z]+)\s*=", unit, re.MULTILINE)
    return sorted({name for name in used if SINCE.get(name, 999) > version})


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("steer_clock", [True, False])
def test_the_platforms_oldest_systemd_knows_every_directive(
    platform: Platform, steer_clock: bool, data: dict[str, Any]
) -> None:
    host = FakeHost(platform)
    host.run(deploy, data={**data, "chrony": {"steer_clock": steer_clock}})
    host.run(deploy, data={**data, "certificates": ACME})
    units = {
        path: file.content
        for path, file in host.files.items()
        if path.startswith("/etc/systemd/system/")
    }
    assert {path.rpartition(".")[2] for path in units} >= {"service", "socket", "conf"}
    found = {path: too_new(text, OLDEST[platform]) for path, text in units.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_what_is_newer_is_found_and_what_nobody_looked_up_as_well() -> None:
    unit = "[Service]\nPrivateIPC=yes\n#Comment=1\nRestrictFileSystems=ext4\nProtectNobody=yes\n"
    assert too_new(unit, 247) == ["PrivateIPC", "ProtectNobody", "RestrictFileSystems"]
    assert too_new(unit, 249) == ["ProtectNobody", "RestrictFileSystems"]
    assert too_new(unit, 250) == ["ProtectNobody"]
