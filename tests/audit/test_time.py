"""TIME: a clock that is right."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, Subject, units_of
from tests.audit.verdict import must_equal, must_hold

QUESTIONS = {
    "configured": "cat /etc/chrony/chrony.conf /etc/chrony.conf /etc/chrony/conf.d/*.conf "
    "/etc/chrony/sources.d/*.sources 2>/dev/null; true",
    "units": units_of("chrony.service", "chronyd.service"),
    "user": "stat -c %U /proc/$(pidof -s chronyd)/",
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
