"""SANDBOX: what a break-in into a service can reach, in systemd's own measure."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, Subject
from tests.audit.verdict import must_equal, must_hold

# Of ten, which is no confinement at all.
_OWN = {f"oauth-{name}.service": 1.5 for name in ("server", "key-rotate", "clock")}
_OTHERS = {
    False: {
        "chrony.service": 3.0,
        "fail2ban.service": 4.5,
        "nginx.service": 3.0,
        "redis-server.service": 1.1,
    },
    True: {
        "chronyd.service": 3.0,
        "fail2ban.service": 4.5,
        "nginx.service": 3.0,
        "redis.service": 1.1,
    },
}
_UNITS = sorted({*_OWN, *_OTHERS[False], *_OTHERS[True]})
# They hold the signing key, the certificate's key and the password of Redis.
_SECRETIVE = ("oauth-server.service", "nginx.service")

QUESTIONS = {
    # One that is not there is an error, and ends the list.
    "exposure": f"for unit in {' '.join(_UNITS)}; do "
    'systemd-analyze security --no-pager "$unit" 2> /dev/null | '
    "grep -a 'Overall exposure level for'; done; true",
    "reload": f"systemctl show --property=Id,NeedDaemonReload {' '.join(_UNITS)}",
    "cores": f"for unit in {' '.join(_SECRETIVE)}; do "
    'pid=$(systemctl show -P MainPID "$unit"); test "$pid" != 0 || continue; '
    'for each in $pid $(cat /proc/$pid/task/*/children); do echo "$unit '
    '$(grep "Max core file size" /proc/$each/limits | tr -s " " | cut -d " " -f 5,6) '
    '$(cat /proc/$each/coredump_filter)"; done; done',
}


@pytest.mark.control("SANDBOX-01")
@pytest.mark.group("auth_servers")
def test_the_servers_units_are_confined(answers: dict[str, Answer]) -> None:
    """Whoever takes the server over has its keys and its store, and nothing of the host."""
    _confined(answers, _OWN)


@pytest.mark.control("SANDBOX-02")
def test_what_stands_beside_the_server_is_confined(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """nginx, chrony, Redis and Fail2Ban read what strangers send, too."""
    bounds = _OTHERS[subject.is_el]
    _confined(answers, {unit: bound for unit, bound in bounds.items() if _runs(unit, subject)})


def _runs(unit: str, subject: Subject) -> bool:
    if unit == "nginx.service":
        return subject.is_gateway
    if unit.startswith("redis"):
        return subject.is_state
    if unit == "fail2ban.service":
        return subject.is_server or subject.is_gateway
    return subject.is_server or unit != "oauth-server.service"


def _confined(answers: dict[str, Answer], bounds: dict[str, float]) -> None:
    found = re.findall(
        r"exposure level for ([\w-]+\.service): ([0-9.]+) ", answers["exposure"].output
    )
    seen = {unit: float(level) for unit, level in found}
    for unit, bound in bounds.items():
        must_hold(
            f"the exposure of {unit} (systemd-analyze security)",
            seen.get(unit, 10.0) <= bound,
            expected=f"{bound} or less",
            seen=seen.get(unit, "no such unit"),
        )
    must_equal(
        "units that lie otherwise on the disk than systemd knows them",
        seen=[
            unit
            for unit, state in answers["reload"].units.items()
            if unit in bounds and state["NeedDaemonReload"] != "no"
        ],
        expected=[],
    )


@pytest.mark.control("SANDBOX-03")
def test_no_core_keeps_a_key_or_a_password(answers: dict[str, Answer], subject: Subject) -> None:
    """A core is a file with everything that the process knew, and handlers send it elsewhere."""
    lines = answers["cores"].lines
    must_equal(
        "the units whose processes were looked at",
        seen=sorted({line.split()[0] for line in lines}),
        expected=sorted(unit for unit in _SECRETIVE if _runs(unit, subject)),
    )
    must_equal(
        "processes whose core would have a size, or memory in it",
        seen=[line for line in lines if line.split()[1:] != ["0", "0", "00000000"]],
        expected=[],
    )
