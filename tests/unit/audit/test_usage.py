"""What a user can get wrong on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: v for key, v in os.environ.items() if key != "PROBE_CLIENT_SECRET"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        pytest.param((), "the audit needs hosts: --hosts=NAME", id="no-host"),
        pytest.param(
            ("--hosts=web", "--probe-client=a"),
            "needs its secret in PROBE_CLIENT_SECRET",
            id="probe",
        ),
        pytest.param(
            ("--hosts=web", "--ca-file=/nowhere"), "--ca-file: /nowhere is not there", id="ca-file"
        ),
    ],
)
def test_a_wrong_call_is_one_clear_line(arguments: tuple[str, ...], rule: str) -> None:
    """And never an audit of the machine that it was typed on."""
    done = _audit("tests/audit", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert next(line for line in done.stderr.splitlines() if line).startswith("ERROR: ")
    assert rule in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_of_all_tests_leaves_the_audit_out() -> None:
    """It names no host, so there is nothing to audit."""
    done = _audit("tests", "--collect-only", "-q", "--ignore=tests/unit", "--ignore=tests/deploy")
    assert "tests/audit" not in done.stdout
    assert "ERROR" not in done.stdout


def test_a_host_that_is_not_there_is_one_line_for_each_check() -> None:
    done = _audit("tests/audit/test_log.py", "-q", "--hosts=nowhere.invalid")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "nowhere.invalid cannot be asked: ssh: Could not resolve hostname" in done.stdout
    assert "0 of 2 controls met" in done.stdout
    assert "Traceback" not in done.stdout
