"""TIME: a clock that is right."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, Subject, units_of
from tests.audit.verdict import must_equal, must_hold

# A source is asked every 17 minutes or more often (chrony.conf(5), maxpoll), and may miss a few.
_OLDEST = 3 * 3600
_WORST = 1.0

QUESTIONS = {
    "configured": "cat /etc/chrony/chrony.conf /etc/chrony.conf /etc/chrony/conf.d/*.conf "
    "/etc/chrony/sources.d/*.sources 2>/dev/null; true",
    "units": units_of("chrony.service", "chronyd.service"),
    "user": "stat -c %U /proc/$(pidof -s chronyd)/",
    # Fields of chronyc(1): 3 is when a source was followed last, 4 the offset, 10 and 11 the root
    # delay and dispersion, 13 the leap status.
    "tracking": "chronyc -c tracking || "
    "{ test $(id -u) = 0 || echo 'chronyd listens to root: must be root'; exit 1; }",
    "now": "date +%s",
    # By the server's own interpreter: a host need not have curl.
    "metrics": "$(sed -n 's/^exec \\([^ ]*\\) .*/\\1/p' /usr/local/bin/oauth-server) -I -S -c "
    "'import urllib.request as r; "
    'print(r.urlopen("http://127.0.0.1:9464/metrics", timeout=5).read().decode())\' '
    "| grep ^oauth_server_clock_",
}


@pytest.mark.control("TIME-01")
def test_chrony_has_sources(answers: dict[str, Answer]) -> None:
    """Without a source the clock runs free."""
    sources = [
        line
        for line in answers["configured"].lines
        if re.match(r"\s*(server|pool|peer|refclock)\s+\S", line)
    ]
    must_hold(
        "chrony's configuration must name time sources",
        sources,
        expected="one line or more with server, pool, peer or refclock",
        seen="none",
    )


@pytest.mark.control("TIME-02")
def test_chrony_is_enabled_and_runs(answers: dict[str, Answer], subject: Subject) -> None:
    """Today and after a reboot."""
    unit = answers["units"].units["chronyd.service" if subject.is_el else "chrony.service"]
    must_equal(
        "chrony must be enabled and active",
        seen={"enabled": unit["UnitFileState"], "active": unit["ActiveState"]},
        expected={"enabled": "enabled", "active": "active"},
    )


@pytest.mark.control("TIME-02")
def test_chrony_gave_up_roots_rights(answers: dict[str, Answer], subject: Subject) -> None:
    """It parses packets from the network."""
    must_equal(
        "chronyd must run as its own account",
        seen=answers["user"].output.strip(),
        expected="chrony" if subject.is_el else "_chrony",
    )


@pytest.mark.control("TIME-03")
def test_the_clock_follows_a_source(answers: dict[str, Answer]) -> None:
    """A daemon that runs and hears nobody leaves the clock to drift."""
    tracking = _tracking(answers)
    must_hold(
        "chronyc tracking must say that the clock is synchronised",
        tracking[13] in ("Normal", "Insert second", "Delete second"),
        expected="Leap status: Normal, or a leap second announced",
        seen=f"Leap status: {tracking[13]}",
    )
    age = float(answers["now"].output) - float(tracking[3])
    must_hold(
        "a source must have been followed lately",
        age < _OLDEST,
        expected=f"less than {_OLDEST} s ago",
        seen=f"{age:.0f} s ago",
    )


@pytest.mark.control("TIME-03")
def test_the_clock_is_right(answers: dict[str, Answer]) -> None:
    """The source may be far away while the clock is only being led to it."""
    offset = abs(float(_tracking(answers)[4]))
    must_hold(
        "the clock must be close to its source",
        offset < _WORST,
        expected=f"less than {_WORST:g} s away",
        seen=f"{offset:g} s away",
    )


@pytest.mark.control("TIME-04")
@pytest.mark.group("auth_servers")
def test_the_metrics_tell_of_the_clock(answers: dict[str, Answer]) -> None:
    """Monitoring looks there, and not at each host's chronyc."""
    seen = dict(line.split(" ", 1) for line in answers["metrics"].lines)
    must_equal(
        "oauth_server_clock_synchronised among the server's metrics",
        seen=seen.get("oauth_server_clock_synchronised", "missing"),
        expected="1.0",
    )
    must_hold(
        "the metrics must say how wrong the clock can be",
        "oauth_server_clock_error_seconds" in seen,
        expected="oauth_server_clock_error_seconds",
        seen=", ".join(seen),
    )


def _tracking(answers: dict[str, Answer]) -> list[str]:
    columns = answers["tracking"].output.strip().split(",")
    must_hold(
        "chronyc must answer",
        len(columns) == 14,
        expected="14 fields of chronyc -c tracking",
        seen=answers["tracking"].output.strip() or "nothing",
    )
    return columns
