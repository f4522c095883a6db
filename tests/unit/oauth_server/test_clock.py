"""What chronyc says of the clock, read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from oauth_server import clock

# As chronyc 4.3 wrote them.
SYNCHRONISED = (
    "0AD50001,10.213.0.1,3,1795675069.306040932,0.000185264,-0.000011823,0.000011823,"
    "0.000,-23.836,0.250,0.000414104,0.002000000,2.0,Normal\n"
)
UNSYNCHRONISED = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,"
    "0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n"
)


def test_a_clock_that_follows_a_source() -> None:
    told = clock.parse(SYNCHRONISED)
    assert told is not None
    assert told.synchronised
    assert told.offset == pytest.approx(-0.000185264)  # chronyc: "slow of NTP time"
    assert told.error == pytest.approx(0.000185264 + 0.002 + 0.000414104 / 2)
    assert told.updated == pytest.approx(1795675069.306)


@pytest.mark.parametrize("leap", ["Insert second", "Delete second"])
def test_a_leap_second_ahead_is_no_fault(leap: str) -> None:
    told = clock.parse(SYNCHRONISED.replace("Normal", leap))
    assert told is not None
    assert told.synchronised


def test_a_clock_that_runs_free() -> None:
    told = clock.parse(UNSYNCHRONISED)
    assert told is not None
    assert not told.synchronised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "506 Cannot talk to daemon\n",
        SYNCHRONISED.replace(",Normal", ""),
        SYNCHRONISED.replace("0.000185264", "slow"),
        SYNCHRONISED.replace("0.000185264", "nan"),
        SYNCHRONISED.replace("0.002000000", "1e400"),
    ],
    ids=["empty", "an-error", "too-few", "no-number", "nan", "infinite"],
)
def test_what_is_no_report_says_nothing(text: str) -> None:
    assert clock.parse(text) is None


def test_an_old_report_says_nothing(tmp_path: Path) -> None:
    report = tmp_path / "tracking"
    assert clock.read(report) is None
    report.write_text(SYNCHRONISED)
    assert clock.read(report) == clock.parse(SYNCHRONISED)
    os.utime(report, (time.time() - 61, time.time() - 61))
    assert clock.read(report) is None
