"""roles.questions: what a deploy asks of a host is asked together, and never answered stale."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from pyinfra import host
from pyinfra.api import Config, FactBase, Inventory, State
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_inventory, ctx_state
from pyinfra.operations import server
from typing_extensions import override

from roles import questions
from roles.questions import expected, operation, rehearse, rehearsing


class Lines(FactBase[list[str]]):
    """The lines of a file of this machine; an error where there is none."""

    @override
    def command(self, path: str) -> StringCommand:
        return StringCommand("cat", QuoteString(path))

    @override
    def process(self, output: list[str]) -> list[str]:
        return list(output)

    @staticmethod
    @override
    def default() -> list[str]:
        return []


@operation()
def has_line(path: str, line: str) -> Generator[StringCommand, None, None]:
    if line not in host.get_fact(Lines, path=path):
        yield StringCommand("printf '\\n%s\\n'", QuoteString(line), ">>", QuoteString(path))


class _Here(BaseConnector):
    """Runs the commands here, and keeps them."""

    def __init__(self, state: State, host: Any) -> None:
        super().__init__(state, host)
        self.ran: list[str] = []

    @override
    def run_shell_command(
        self, command: Any, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        text = command if isinstance(command, str) else command.get_raw_value()
        self.ran.append(text)
        done = subprocess.run(
            ["sh", "-c", text], input=arguments.get("_stdin") or "", capture_output=True, text=True
        )
        lines = [OutputLine("stdout", line) for line in done.stdout.splitlines()]
        return done.returncode == 0, CommandOutput(lines)

    @override
    def put_file(self, *_: Any, **__: Any) -> bool:
        return True

    @override
    def get_file(self, *_: Any, **__: Any) -> bool:
        return True

    @override
    @staticmethod
    def make_names_data(name: str) -> Any:
        raise NotImplementedError


def run(
    roles: Callable[[], None],
    *,
    forecast: bool = True,
    between: Callable[[], object] = bool,
    first: tuple[type[FactBase[Any]], ...] = (),
) -> tuple[list[str], list[str]]:
    """What was run on the host while planning, and while carrying the plan out."""
    inventory = Inventory((["@fake/here"], {}))
    state = State(inventory, Config(), check_for_changes=forecast)
    (fake,) = inventory
    connector = _Here(state, fake)
    fake.connector = connector

    def twice() -> None:
        rehearse(host, roles, first)
        roles()

    try:
        with ctx_inventory.use(inventory):
            connect_all(state)
            state.set_stage(StateStage.Prepare)
            add_deploy(state, twice)
            planning = list(connector.ran)
            between()
            state.set_stage(StateStage.Execute)
            run_ops(state)
    finally:
        for context in (ctx_inventory, ctx_state, ctx_host):
            context.reset()
    return planning, connector.ran[len(planning) :]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / name for name in ("a", "it's b", "c")]
    for path in paths:
        path.write_text("one\n\n  two")
    return [str(path) for path in paths]


def wanting(files: list[str], line: str) -> Callable[[], None]:
    def roles() -> None:
        for path in files:
            has_line(name=f"Have it in {path}", path=path, line=line)

    return roles


@pytest.mark.parametrize("line", ["one", "", "  two"])
def test_a_run_that_changes_nothing_asks_once_for_the_plan_and_once_to_carry_it_out(
    files: list[str], line: str
) -> None:
    assert run(wanting(files, line)) == (["sh"], ["sh"])
    assert run(wanting(files, line), forecast=False) == ([], ["sh"])


def test_each_change_is_made_once_and_the_next_run_has_none(files: list[str]) -> None:
    _, ran = run(wanting(files, "new"))
    assert sum(">>" in command for command in ran) == len(files)
    assert run(wanting(files, "new"))[1] == ["sh"]


def test_after_a_change_nothing_is_answered_from_before_it(files: list[str]) -> None:
    """Both operations see the file as it is when their turn has come."""

    def roles() -> None:
        has_line(name="Have it", path=files[0], line="new")
        has_line(name="Have it still", path=files[0], line="new")

    _, ran = run(roles)
    assert sum(">>" in command for command in ran) == 1
    assert Path(files[0]).read_text().count("new") == 1


def test_what_changed_while_the_plan_was_read_is_seen(files: list[str]) -> None:
    _, ran = run(
        wanting(files, "new"), between=lambda: [Path(path).write_text("new\n") for path in files]
    )
    assert ran == ["sh"]


def test_after_a_change_the_rest_is_asked_together_again(files: list[str]) -> None:
    def roles() -> None:
        has_line(name="Change", path=files[0], line="new")
        wanting(files[1:] * 4, "one")()

    _, ran = run(roles)
    first, change, alone, again = ran
    assert (first, again) == ("sh", "sh")
    assert ">>" in change
    assert alone.startswith("cat ")


def test_answers_grow_old(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_MAX_AGE", -1.0)
    assert run(wanting(files, "one"))[1] == ["sh"] * len(files)


def test_a_question_that_fails_is_asked_by_itself(files: list[str]) -> None:
    """Its own message is what people need to see."""
    missing = f"{files[0]}-missing"

    def roles() -> None:
        wanting(files, "one")()
        host.get_fact(Lines, path=files[0])

    with pytest.raises(Exception, match="No hosts remaining"):
        run(wanting([*files, missing], "one"))
    assert run(roles)[1] == ["sh"]


def test_what_a_role_asks_itself_is_asked_once(files: list[str]) -> None:
    seen = []

    def roles() -> None:
        seen.append((rehearsing(), host.get_fact(Lines, path=files[0])))

    planning, _ = run(roles)
    assert len(planning) == 1
    assert seen == [(True, ["one", "", "  two"]), (False, ["one", "", "  two"])]


def test_what_roles_ask_themselves_is_asked_together_where_it_is_said_before(
    files: list[str],
) -> None:
    class Here(FactBase[str]):
        @override
        def command(self) -> str:
            return "pwd"

    class There(FactBase[str]):
        @override
        def command(self) -> str:
            return "cd / && pwd"

    seen = []

    def roles() -> None:
        seen.append((host.get_fact(Here), host.get_fact(There)))
        wanting(files, "one")()

    assert run(roles, first=(Here, There), forecast=False) == (["sh"], ["sh"])
    assert seen == [(str(Path.cwd()), "/")] * 2


def test_without_a_forecast_a_late_question_is_asked_alone(files: list[str]) -> None:
    """Nobody wants the other answers before the plan is carried out, and then they are old."""

    def roles() -> None:
        if not rehearsing():
            host.get_fact(Lines, path=files[0])
        wanting(files[1:], "one")()

    planning, ran = run(roles, forecast=False)
    assert [command.split()[0] for command in planning] == ["cat"]
    assert ran == ["sh"]
    assert run(roles)[0] == ["sh"]


def test_an_operation_that_would_be_planned_twice_is_refused() -> None:
    def roles() -> None:
        server.shell(name="Do it", commands=["true"])

    with pytest.raises(TypeError, match="wrap it in `expected`"):
        run(roles)
    assert run(lambda: None if rehearsing() else roles())[1] == ["true"]

    def wrapped() -> None:
        expected(server.shell)(name="Do it", commands=["true"])

    assert run(wrapped)[1] == ["true"]


def test_a_rehearsal_plans_nothing(files: list[str]) -> None:
    def roles() -> None:
        if rehearsing():
            wanting(files, "new")()

    assert run(roles) == ([], [])
    assert "new" not in Path(files[0]).read_text()
