"""NET: the kernel's network settings, live and after the next boot."""

from __future__ import annotations

import pytest

from tests.audit.kernel_settings import winners
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
}
# A host may have longer queues.
_AT_LEAST = {"net/ipv4/tcp_max_syn_backlog": 4096, "net/core/somaxconn": 4096}

QUESTIONS = {
    "live": "cd /proc/sys && grep -Hs . "
    + " ".join([*_AT_LEAST, *(path for group in _SWITCHES.values() for path in group)])
    + "; true",
    # ufw applies a file of its own at each start, after all others.
    "persisted": "systemd-analyze cat-config sysctl.d && "
    "if grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf; then "
    '. /etc/default/ufw; . /etc/ufw/ufw.conf; cat "${IPT_SYSCTL:-/dev/null}"; fi',
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
        seen={path: live.get(path, "missing") for path in wanted},
        expected=wanted,
    )


@pytest.mark.control("NET-02")
def test_the_queues_are_long_enough(answers: dict[str, Answer]) -> None:
    """Connections wait in the queue and are not dropped."""
    live = _live(answers)
    for path, least in _AT_LEAST.items():
        must_hold(
            f"{path} must be long enough",
            int(live.get(path, "0")) >= least,
            expected=f"{least} or more",
            seen=live.get(path, "nothing"),
        )


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
    must_equal(
        "the value that wins at the next boot must be",
        seen=_persisted(answers, list(wanted)),
        expected=wanted,
    )
    found = _persisted(answers, list(_AT_LEAST))
    for path, least in _AT_LEAST.items():
        must_hold(
            f"{path} must be long enough at the next boot",
            int(found.get(path, "0")) >= least,
            expected=f"{least} or more",
            seen=found.get(path, "nothing"),
        )
