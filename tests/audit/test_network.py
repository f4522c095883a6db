"""NET: the kernel's network settings, live and after the next boot."""

from __future__ import annotations

import pytest

from tests.audit.kernel_settings import LIMITS, as_required, holds, winners
from tests.audit.subject import Answer
from tests.audit.verdict import must_equal, must_hold

_SWITCHES = {
    "NET-01": {"net/ipv4/tcp_syncookies": "1", "net/ipv4/tcp_timestamps": "1"},
    "NET-03": {
        "net/ipv4/conf/*/accept_redirects": "0",
        "net/ipv4/conf/*/secure_redirects": "0",
        "net/ipv4/conf/*/send_redirects": "0",
        "net/ipv6/conf/*/accept_redirects": "0",
    },
    "NET-04": {"net/ipv4/conf/*/rp_filter": "1"},
    "NET-05": {
        "net/ipv4/conf/*/accept_source_route": "0",
        "net/ipv6/conf/*/accept_source_route": "0",
    },
    "NET-06": {"net/ipv4/conf/*/log_martians": "1"},
    "NET-10": {
        "net/ipv4/icmp_echo_ignore_broadcasts": "1",
        "net/ipv4/icmp_ignore_bogus_error_responses": "1",
        "net/ipv4/tcp_rfc1337": "1",
    },
}

QUESTIONS = {
    "live": "cd /proc/sys && grep -Hs . "
    + " ".join([*LIMITS, *(path for group in _SWITCHES.values() for path in group)])
    + "; true",
    # ufw applies a file of its own at each start, after all others.
    "persisted": "systemd-analyze cat-config sysctl.d && "
    "if grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf; then "
    '. /etc/default/ufw; . /etc/ufw/ufw.conf; cat "${IPT_SYSCTL:-/dev/null}"; fi',
    # There the table of connections is the machine's.
    "container": "systemd-detect-virt --container; true",
}


def _live(answers: dict[str, Answer]) -> dict[str, str]:
    return dict(line.split(":", 1) for line in answers["live"].lines)


def _persisted(answers: dict[str, Answer], paths: list[str]) -> dict[str, str]:
    return winners(answers["persisted"].lines, paths)


def _wanted(control: str, live: dict[str, str]) -> dict[str, str]:
    """The value of each key that this kernel has; without IPv6 it has fewer."""
    wanted: dict[str, str] = {}
    for pattern, value in _SWITCHES[control].items():
        before, _, after = pattern.partition("*")
        wanted |= {path: value for path in live if path.startswith(before) and path.endswith(after)}
        if "ipv4" in pattern:
            scopes = ("all", "default") if after else ("",)
            wanted |= {f"{before}{scope}{after}": value for scope in scopes}
    return wanted


@pytest.mark.parametrize(
    "control", [pytest.param(name, marks=pytest.mark.control(name)) for name in _SWITCHES]
)
def test_the_kernel_runs_with_the_setting(answers: dict[str, Answer], control: str) -> None:
    """What protects today; each interface counts, not only `all`."""
    live = _live(answers)
    wanted = _wanted(control, live)
    must_equal(
        "the kernel's setting must be",
        seen={path: as_required(path, live.get(path, "missing")) for path in wanted},
        expected=wanted,
    )


@pytest.mark.control("NET-02")
def test_the_queues_are_long_enough(answers: dict[str, Answer]) -> None:
    """Connections wait in the queue and are not dropped, and who stays silent is soon given up."""
    live = _live(answers)
    for path in _limited(answers):
        _must_be_within(path, live.get(path), "")


@pytest.mark.control("NET-07")
def test_the_settings_survive_a_reboot(answers: dict[str, Answer]) -> None:
    """No file that sorts later, and no firewall, takes them back."""
    live = _live(answers)
    wanted: dict[str, str] = {}
    for control in _SWITCHES:
        of_each = _wanted(control, live)
        general = ("/all/", "/default/")
        wanted |= {
            path: value
            for path, value in of_each.items()
            if "/conf/" not in path or any(scope in path for scope in general)
        }
    found = _persisted(answers, list(wanted))
    must_equal(
        "the value that wins at the next boot must be",
        seen={path: as_required(path, value) for path, value in found.items()},
        expected=wanted,
    )
    limited = _limited(answers)
    found = _persisted(answers, limited)
    for path in limited:
        _must_be_within(path, found.get(path), " at the next boot")


def _limited(answers: dict[str, Answer]) -> list[str]:
    """What this host has a word on; a host without a firewall tracks no connections."""
    live = _live(answers)
    machine = answers["container"].lines in ([], ["none"])
    return [path for path in LIMITS if "netfilter" not in path or (machine and path in live)]


def _must_be_within(path: str, value: str | None, when: str) -> None:
    most, limit = LIMITS[path]
    must_hold(
        f"{path} must be {'low' if most else 'high'} enough{when}",
        value is not None and holds(path, int(value)),
        expected=f"{limit} or {'less' if most else 'more'}",
        seen=value or "nothing",
    )
