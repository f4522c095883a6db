"""The scripts of docs/ci/machines.yml, run step by step against a lab host as a runner would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.ci_example import DIRECTORY, ROOT, steps
from tests.lab.fixtures import MakeLab, RunningLab

WORKFLOW = DIRECTORY / "machines.yml"


class Runner:
    """What a runner gives to scripts: a directory, and a file through which variables are set."""

    def __init__(self, place: Path, expressions: dict[str, str]) -> None:
        self._place = place
        self._expressions = expressions
        self._set = place / "env"
        self._set.touch()

    def run(self, step: dict[str, str | dict[str, str]]) -> subprocess.CompletedProcess[str]:
        wanted = step.get("env", {})
        assert isinstance(wanted, dict)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", str(step["run"])],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ["HOME"],
                "RUNNER_TEMP": str(self._place),
                "GITHUB_ENV": str(self._set),
                **dict(line.split("=", 1) for line in self._set.read_text().splitlines()),
                **{name: self._expressions[value] for name, value in wanted.items()},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def expressions(lab: RunningLab) -> dict[str, str]:
    known = (lab.directory / "known_hosts").read_text().split()
    return {
        "${{ matrix.variable }}": "MACHINE_DEBIAN_12",
        "${{ vars[matrix.variable] }}": lab.hosts[0].address,
        "${{ vars.MACHINE_USER }}": "",
        "${{ vars.TIME_SERVERS }}": f"{lab.hosts[0].address.rpartition('.')[0]}.1",
        "${{ secrets.MACHINE_SSH_KEY }}": (lab.directory / "id_ed25519").read_text(),
        "${{ secrets.MACHINE_KNOWN_HOSTS }}": f"{lab.hosts[0].address} {known[1]} {known[2]}",
    }


def test_each_step_does_on_a_lab_host_what_its_name_says(make_lab: MakeLab, tmp_path: Path) -> None:
    """The runner's part, checking out and keeping the report, is GitHub's and not tried."""
    lab = make_lab("debian-12")
    # A machine of the user's has a clock of its own; a lab host may not move this one's.
    runner = Runner(tmp_path, expressions(lab))
    (tmp_path / "env").write_text("PORTCULLIS_CONTAINER=1\n")
    for step in steps(WORKFLOW):
        if "run" not in step or step["name"] == "Forget the key":
            continue
        done = runner.run(step)
        assert done.returncode == 0, f"{step['name']}\n{done.stdout}\n{done.stderr}"
        if step["name"] == "Find nothing left to change":
            assert done.stdout.startswith("0 of ")
    report = ET.parse(tmp_path / "portcullis" / "audit.xml").getroot()  # noqa: S314
    (suite,) = report.iter("testsuite")
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
    assert int(suite.get("tests", "0")) > 60

    lab.ssh("sudo rm /etc/logrotate.d/oauth-server")
    (unchanged,) = [s for s in steps(WORKFLOW) if s["name"] == "Find nothing left to change"]
    noticed = runner.run(unchanged)
    assert noticed.returncode == 1
    assert "would change: logrotate | Write oauth-server's rotation [LOG-02]" in noticed.stderr

    (forget,) = [s for s in steps(WORKFLOW) if s["name"] == "Forget the key"]
    assert runner.run(forget).returncode == 0
    assert not (tmp_path / "portcullis").exists()


def test_a_variable_that_names_no_machine_is_said_by_its_name(tmp_path: Path) -> None:
    names = (
        "vars[matrix.variable]", "vars.MACHINE_USER", "vars.TIME_SERVERS",
        "secrets.MACHINE_SSH_KEY",
    )  # fmt: skip
    empty = {f"${{{{ {name} }}}}": "" for name in (*names, "secrets.MACHINE_KNOWN_HOSTS")}
    runner = Runner(tmp_path, {**empty, "${{ matrix.variable }}": "MACHINE_EL_9"})
    (find,) = [step for step in steps(WORKFLOW) if step["name"] == "Find the machine"]
    refused = runner.run(find)
    assert refused.returncode == 1
    assert "::error::the variable MACHINE_EL_9 names no machine" in refused.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "env"]
