"""How a whole run is summed up."""

from tests.lab import tour

REPORT = """\
.......s....                                                             [100%]
=============================== controls of lab-1 ==============================
35 of 35 controls met
=============================== controls of lab-2 ==============================
34 of 35 controls met
  KEY-01  not checked: The key directory is the server's
=========================== short test summary info ============================
SKIPPED [1] tests/audit/test_keys.py:9: not checked: no reason
119 passed, 1 skipped in 2.35s
"""


def test_the_audits_result_is_one_line_that_hides_no_host() -> None:
    assert tour.verdict(REPORT) == (
        "lab-1: 35 of 35 controls met; lab-2: 34 of 35 controls met; 119 passed, 1 skipped in 2.35s"
    )
