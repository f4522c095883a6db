"""What the server tells of the host's clock."""

from __future__ import annotations

from pathlib import Path

from tests.server.process import Site, serving
from tests.server.test_metrics import samples, value

# As chronyc 4.3 wrote it.
_LINE = (
    "0AD50001,10.213.0.1,3,1795675069.306040932,0.000185264,-0.000011823,0.000011823,"
    "0.000,-23.836,0.250,0.000414104,0.002000000,2.0,{}\n"
)


def test_the_clocks_state_is_what_chrony_said_last(tmp_path: Path, site: Site) -> None:
    report = tmp_path / "tracking"
    with serving(tmp_path, site, clock_report=str(report)) as server:
        unknown = samples(server)
        assert value(unknown, "clock_synchronised") == 0
        assert ("oauth_server_clock_offset_seconds", ()) not in unknown
        report.write_text(_LINE.format("Normal"))
        known = samples(server)
        assert value(known, "clock_synchronised") == 1
        assert value(known, "clock_offset_seconds") == -0.000185264
        assert 0.002 < value(known, "clock_error_seconds") < 0.003
        assert value(known, "clock_source_age_seconds") != 0
        report.write_text(_LINE.format("Not synchronised"))
        assert value(samples(server), "clock_synchronised") == 0
