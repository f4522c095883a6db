"""The audit of a lab host, as an auditor runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.running import ROOT
from tests.lab.fixtures import RunningLab


def audit(lab: RunningLab, *arguments: str, ca_file: Path | None = None, **variables: str) -> str:
    """What an auditor reads in the terminal."""
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments),
        *(f"--hosts={lab.hosts[0].name}", f"--ssh-config={lab.ssh_config}"),
        f"--ca-file={ca_file or lab.directory / 'ca' / 'ca.pem'}",
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def not_met(report: str) -> list[str]:
    assert "controls met" in report, report
    return re.findall(r"^  ([A-Z]+-\d\d)  NOT MET", report, re.MULTILINE)
