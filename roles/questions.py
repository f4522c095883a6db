"""What a deploy asks a host, asked together: one command, where each fact would be one.

pyinfra runs a command for each fact, and asks it again when it carries the plan out. Here the
roles are gone through once beforehand: in this rehearsal an operation is taken as far as its first
fact, whose command is noted and not run. Later, when the first of these answers is needed, all are
fetched in one command, and they are good until anything else is run on the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial, wraps
from secrets import token_hex
from typing import Any, ParamSpec, TypeVar, cast

from pyinfra import host
from pyinfra.api import FactBase, Host, State, StringCommand
from pyinfra.api import operation as pyinfra_operation
from pyinfra.api.arguments import all_global_arguments
from pyinfra.api.operation import OperationMeta, PyinfraOperation
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine

P = ParamSpec("P")
C = TypeVar("C")

Answer = tuple[bool, CommandOutput]

_MAX_AGE = 10.0  # seconds: others may work on the host while this run waits for its slowest host
_GLOBAL_ARGUMENTS = frozenset(name for name, _ in all_global_arguments())


class _Noted(Exception):  # noqa: N818 - no error: it ends an operation's rehearsal
    """The operation has come to its first fact."""


class Questions:
    """Which commands will be asked of a host, and the answers; it stands before the connector.

    A question is known by its whole command and by how it is run (sudo and the like). While the
    plan is carried out, any other command may change the host: all answers are then forgotten.
    """

    def __init__(self, state: State, connector: BaseConnector) -> None:
        self.rehearsing = False
        self._state = state
        self._run = connector.run_shell_command
        self._put = connector.put_file
        self._noting = False
        self._expected: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, tuple[dict[str, Any], Answer]] = {}
        self._since = time.monotonic()
        self._executing = False
        self._first = True
        self._in_a_row = 1
        connector.run_shell_command = self.run_shell_command  # type: ignore[method-assign]
        connector.put_file = self.put_file  # type: ignore[method-assign]

    def note(self, operation: Callable[[], Iterator[object]]) -> None:
        """Take an operation as far as its first fact or command, and expect that fact."""
        self._noting = True
        try:
            next(operation(), None)
        except _Noted:
            pass
        finally:
            self._noting = False

    def run_shell_command(
        self,
        command: StringCommand | str,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> Answer:
        text = command if isinstance(command, str) else command.get_raw_value()
        if not self._state.is_executing:  # nothing is changed: whatever is run is a question
            self._expected[text] = arguments
        if self._noting:
            raise _Noted
        self._forget_what_is_old()
        expected = self._expected.get(text) == arguments
        verbose = print_output or print_input  # whoever reads along sees each question by itself
        if expected and not verbose and text not in self._answers and self._more_follow():
            self._fetch(arguments)
        known = self._answers.get(text)
        if known and known[0] == arguments and not verbose:
            return known[1]
        if not expected:
            self._forget()
        answer = self._run(cast("StringCommand", command), print_output, print_input, **arguments)
        if answer[0] and expected:
            self._answers[text] = arguments, answer
        return answer

    def _more_follow(self) -> bool:
        """Whether other answers than the one that is wanted now will be wanted soon."""
        if self.rehearsing:
            first, self._first = self._first, False
            return first
        if not self._state.is_executing:
            # With --yes pyinfra makes no forecast: while it plans, only roles ask.
            return bool(self._state.check_for_changes)
        # After a change most often the next follows: this one alone, but after it the rest.
        self._in_a_row += 1
        return self._in_a_row > 1

    def _forget(self) -> None:
        self._answers.clear()
        self._in_a_row = 0

    def _forget_what_is_old(self) -> None:
        """Somebody may have read the plan for long before it is carried out."""
        begun = self._state.is_executing and not self._executing
        if begun or time.monotonic() - self._since > _MAX_AGE:
            self._executing = self._state.is_executing
            self._answers.clear()
            self._in_a_row = 1
            self._since = time.monotonic()

    def _fetch(self, arguments: dict[str, Any]) -> None:
        """Ask everything that is expected with these arguments; what fails is left to be asked."""
        texts = [
            text
            for text, with_ in self._expected.items()
            if with_ == arguments and text not in self._answers
        ]
        mark = token_hex(8)
        script = "".join(
            f"(\n{text}\n) < /dev/null 2> /dev/null\nprintf '\\n{mark} %s\\n' $?\n"
            for text in texts
        )
        # On standard input: an argument's length is limited, and its quotes would pile up.
        _, output = self._run(
            StringCommand("sh"), print_output=False, print_input=False,
            **{**arguments, "_stdin": script},
        )  # fmt: skip
        for text, lines in zip(texts, _parts(output.stdout_lines, mark), strict=False):
            if lines is not None:
                said = CommandOutput([OutputLine("stdout", line) for line in lines])
                self._answers[text] = arguments, (True, said)

    def put_file(self, *arguments: Any, **named: Any) -> bool:
        self._forget()
        return self._put(*arguments, **named)


def _parts(lines: Iterable[str], mark: str) -> Iterator[list[str] | None]:
    """The lines of each answer, None for one that failed."""
    part: list[str] = []
    for line in lines:
        name, _, status = line.partition(" ")
        if name != mark:
            part.append(line)
            continue
        # The line break before the mark is ours, unless the answer had none at its end.
        if part and not part[-1]:
            part.pop()
        yield part if status == "0" else None
        part = []


_KEY = "questions"


def rehearse(
    host: Host, roles: Callable[[], None], first: Iterable[type[FactBase[Any]]] = ()
) -> None:
    """Go through `roles` to learn what their operations will ask; nothing is planned or changed.

    What a role itself asks, outside of its operations, is asked, and remembered for the real turn:
    `first` are such facts, without arguments, to be asked together.
    """
    questions = Questions(host.state, host.connector)
    host.connector_data[_KEY] = questions
    for fact in first:
        questions.note(partial(_asked, fact))
    questions.rehearsing = True
    planned = len(host.op_hash_order)
    try:
        roles()
    finally:
        questions.rehearsing = False
    if len(host.op_hash_order) != planned:
        raise TypeError("a role uses an operation of pyinfra's as it is: wrap it in `expected`")


def _asked(fact: type[FactBase[Any]]) -> Iterator[object]:
    yield host.get_fact(fact)


def rehearsing() -> bool:
    """Whether the roles are only gone through: what they say to people they will say again."""
    questions = host.connector_data.get(_KEY)
    return questions is not None and questions.rehearsing


def expected(operation: PyinfraOperation[P]) -> PyinfraOperation[P]:
    """The operation, which in a rehearsal only says what it will ask."""

    @wraps(operation)
    def called(*args: Any, **kwargs: Any) -> OperationMeta:
        if not rehearsing():
            return operation(*args, **kwargs)
        own = {name: value for name, value in kwargs.items() if name not in _GLOBAL_ARGUMENTS}
        host.connector_data[_KEY].note(lambda: iter(operation._inner(*args, **own)))
        return OperationMeta("", is_change=False)

    called._inner = operation._inner  # type: ignore[attr-defined]
    return cast("PyinfraOperation[P]", called)


def operation() -> Callable[[Callable[P, Generator[Any, None, None]]], PyinfraOperation[P]]:
    """pyinfra's decorator for an operation; each of ours begins with the one fact it stands on."""

    def decorate(function: Callable[P, Generator[Any, None, None]]) -> PyinfraOperation[P]:
        return expected(pyinfra_operation()(function))

    return decorate
