"""controls.yaml and the checks belong together, and a run's summary is right."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.audit import controls

AUDIT = Path(controls.__file__).parent


def _marked() -> set[str]:
    """Every id that a check of the audit names; read from the source, so that no host is needed."""
    found = set()
    for path in AUDIT.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.control":
                [argument] = node.args
                if isinstance(argument, ast.Constant):
                    found.add(str(argument.value))
                else:  # the table of kernel settings: a check for each of its keys
                    found |= set(re.findall(r'^    "(NET-\d\d)":', path.read_text(), re.MULTILINE))
    return found


def test_every_check_names_a_control_and_every_control_has_a_check() -> None:
    assert _marked() == set(controls.load())


def test_every_check_says_what_it_protects_and_which_control_it_proves() -> None:
    for path in AUDIT.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                where = f"{path.name}::{node.name}"
                decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
                assert ast.get_docstring(node), where
                assert "control" in decorators or "_PORTS" in decorators, where


def test_every_control_has_a_title_and_a_reason() -> None:
    for control in controls.load().values():
        assert re.fullmatch(r"[A-Z]+-\d\d", control.id)
        assert control.title
        assert control.why.endswith("."), control.id
        for reference in control.references:
            assert re.match(r"(CIS Debian 12 \d|RFC \d)", reference), control.id


def test_no_id_stands_there_twice() -> None:
    text = (AUDIT / "controls.yaml").read_text()
    assert len(re.findall(r"^- id:", text, re.MULTILINE)) == len(controls.load())


def test_the_operations_of_the_deploy_name_known_controls() -> None:
    """The ids are the only link between the deploy and the audit."""
    roles = AUDIT.parent.parent / "roles"
    named = {
        control
        for path in roles.rglob("*.py")
        for control in re.findall(r"\[([A-Z]+-\d\d)\]", path.read_text())
    }
    assert named
    assert named <= set(controls.load())


def test_the_documentation_lists_every_control_with_its_title() -> None:
    text = (AUDIT.parent.parent / "docs" / "audit.md").read_text()
    for control in controls.load().values():
        row = f"| {control.id} | {control.title} | {', '.join(control.references)} |"
        assert row in text, row


def _report(host: str, *ids: str) -> SimpleNamespace:
    properties = [("host", host), *(("control", each) for each in ids)]
    return SimpleNamespace(user_properties=properties)


@pytest.mark.parametrize("worse", ["failed", "error", "skipped"])
def test_the_worst_check_of_a_control_decides(worse: str) -> None:
    stats = {worse: [_report("web", "KEY-01")], "passed": [_report("web", "KEY-01")]}
    assert controls.verdicts(stats) == {"web": {"KEY-01": worse}}


def test_hosts_are_told_apart() -> None:
    stats = {"failed": [_report("a", "KEY-01")], "passed": [_report("b", "KEY-01", "KEY-02")]}
    assert controls.verdicts(stats) == {
        "a": {"KEY-01": "failed"},
        "b": {"KEY-01": "passed", "KEY-02": "passed"},
    }


def test_a_summary_names_what_is_not_met_and_what_nobody_looked_at() -> None:
    title = {each.id: each.title for each in controls.load().values()}
    verdicts = {"SRV-06": "skipped", "BASE-01": "passed", "KEY-02": "failed", "TLS-01": "error"}
    assert list(controls.summary(verdicts)) == [
        "1 of 4 controls met",
        f"  TLS-01  not checked: {title['TLS-01']}",
        f"  SRV-06  not checked: {title['SRV-06']}",
        f"  KEY-02  NOT MET: {title['KEY-02']}",
    ]
