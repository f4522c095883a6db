"""The example workflows of docs/ci: valid to GitHub's schema, pinned, and true to this tree."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyinfra.connectors.ssh import SSHConnector

from roles.hostdata.check import validate
from tests.ci_example import DIRECTORY, ROOT, WORKFLOWS, jobs, steps

each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def schema_says(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run(
        [*command, "vendor.github-workflows", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_githubs_own_schema_takes_them() -> None:
    assert [path.name for path in WORKFLOWS] == ["containers.yml", "machines.yml"]
    said = schema_says(*WORKFLOWS)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("runs-on:", "runs_on:"),
        ("    steps:", "    stepps:"),
        ("permissions:\n  contents: read", "permissions:\n  contents: all"),
        ("        run: make .venv", "        runs: make .venv"),
        ("workflow_dispatch:", "workflow_dispatched:"),
    ],
)
def test_the_schema_would_notice_a_mistake(right: str, wrong: str, tmp_path: Path) -> None:
    for workflow in WORKFLOWS:
        text = workflow.read_text()
        assert right in text
        broken = tmp_path / workflow.name
        broken.write_text(text.replace(right, wrong, 1))
        assert schema_says(broken).returncode == 1


@each_workflow
def test_each_action_is_pinned_to_a_commit_and_says_which_version_it_is(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    lines = re.findall(r"uses: (.*)", workflow.read_text())
    assert len(used) == len(lines) >= 2
    pinned = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


@each_workflow
def test_each_system_has_its_turn(workflow: Path) -> None:
    (job,) = jobs(workflow).values()
    systems = [entry["system"] for entry in job["strategy"]["matrix"]["include"]]
    assert systems == ["ubuntu-22.04", "ubuntu-24.04", "debian-12", "el-9"]


@each_workflow
def test_it_deploys_finds_nothing_left_audits_and_keeps_the_report(workflow: Path) -> None:
    names = [step["name"] for step in steps(workflow)]
    order = ["Deploy", "Find nothing left to change", "Audit", "Keep the audit's report"]
    assert [name for name in names if name in order] == order


@each_workflow
def test_no_script_has_an_expression_in_it(workflow: Path) -> None:
    """What GitHub puts into a script's text is run by the shell; the environment isn't."""
    assert [step["name"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


@each_workflow
def test_a_fork_gets_neither_secrets_nor_rights(workflow: Path) -> None:
    text = workflow.read_text()
    triggers = yaml.safe_load(text)[True]  # YAML 1.1 reads the key `on` as true
    assert "pull_request_target" not in triggers
    assert not ("pull_request" in triggers and "secrets." in text)
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


@each_workflow
def test_every_script_is_one_for_bash(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["defaults"] == {"run": {"shell": "bash"}}
    for step in steps(workflow):
        checked = subprocess.run(
            ["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, ""), step["name"]


@each_workflow
def test_what_its_scripts_name_is_there(workflow: Path) -> None:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    (job,) = jobs(workflow).values()
    called, named = set(), set()
    for step in steps(workflow):
        script = step.get("run", "")
        called |= set(re.findall(r"\bmake (\S+)", script))
        for word in re.findall(r"(?<![\w/$.-])(?:docs|tests)/[\w./$-]+|\bdeploy\.py\b", script):
            for entry in job["strategy"]["matrix"]["include"]:
                named.add(word.replace("$PACKAGES", entry.get("packages", "")))
    assert called
    assert called <= targets
    assert {"deploy.py", "docs/ci/inventory.py", "docs/ci/unchanged.py", "tests/audit"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


@each_workflow
def test_the_audits_options_exist(workflow: Path) -> None:
    (audit,) = [step["run"] for step in steps(workflow) if step["name"] == "Audit"]
    used = set(re.findall(r"--[a-z-]+", audit))
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/audit", "--hosts=x", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(re.findall(r"--[a-z-]+", shown)) | {"--junitxml"}
    assert "--junitxml" in used
    assert used <= known


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(("named", "servers"), [("", 4), ("192.0.2.8 time.example.org", 2)])
def test_the_inventory_is_valid(container: bool, named: str, servers: int, tmp_path: Path) -> None:
    variables = {
        "PORTCULLIS_CI": str(tmp_path), "PORTCULLIS_ADDRESS": "192.0.2.7",
        "PORTCULLIS_TIME_SERVERS": named,
    }  # fmt: skip
    if container:
        variables["PORTCULLIS_CONTAINER"] = "1"
    said = subprocess.run(
        [sys.executable, "-m", "pyinfra", "docs/ci/inventory.py", "debug-inventory", "--json"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    (machine,) = json.loads(said.stdout)
    assert {"auth_servers", "gateways", "state"} <= set(machine["groups"])
    data = validate("machine", machine["data"], connection_keys=frozenset(SSHConnector.data_meta))
    assert data.oauth_server.issuer == "https://192.0.2.7"
    assert data.chrony.steer_clock is not container
    assert len(data.chrony.servers) == servers


def operation(name: str, *, change: list[str], perhaps: list[str]) -> dict[str, Any]:
    return {"name": name, "hosts_with_change": change, "hosts_with_conditional_change": perhaps}


@pytest.mark.parametrize(
    ("plan", "status", "said"),
    [
        ([operation("a", change=[], perhaps=[])], 0, ""),
        ([operation("a", change=["machine"], perhaps=[])], 1, "would change: a\n"),
        ([operation("a", change=[], perhaps=["machine"])], 1, "would change: a\n"),
        ([], 1, "the plan is empty: no host, or no deploy\n"),
    ],
)
def test_a_plan_with_a_change_fails_the_job_and_an_empty_one_too(
    plan: list[dict[str, Any]], status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"plan": plan}))
    ended = subprocess.run(
        [sys.executable, str(DIRECTORY / "unchanged.py"), str(tmp_path / "plan.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (status, said)


def test_the_page_says_that_nobody_here_has_run_them() -> None:
    page = " ".join((ROOT / "docs" / "ci.md").read_text().split())
    assert "have not been run" in page
    for workflow in WORKFLOWS:
        assert f"ci/{workflow.name}" in page
        assert "This project has not run it" in workflow.read_text()


def test_every_variable_and_secret_is_explained() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    text = "".join(workflow.read_text() for workflow in WORKFLOWS)
    wanted = set(re.findall(r"\b(?:vars|secrets)\.([A-Z0-9_]+)|variable: (\S+)", text))
    names = {name for pair in wanted for name in pair if name}
    assert "MACHINE_EL_9" in names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
