"""Checks a document of the operator against a msgspec Struct and reports every problem at once.

msgspec alone stops at the first one.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from oauth_server.errors import OperatorError

S = TypeVar("S", bound=msgspec.Struct)
Report = Callable[[str, str], None]
"""Takes the path of an entry in the document, and the rule that it breaks."""

Rules = Mapping[str, Callable[[Any], Iterable[str]]]
"""By field, `outer.inner` within another Struct: which rules beyond its type a value breaks."""

_MAX_PROBLEMS = 100
_MAX_SHOWN = 64


class Problems:
    """What is wrong with one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[str] = []

    def report(self, path: str, rule: str) -> None:
        """Raises OperatorError once there are more than anybody reads: a file may be all wrong."""
        if len(self._lines) == _MAX_PROBLEMS:
            self._lines.append(f"{self._file}: has more faults than these")
            self.raise_any()
        self._lines.append(f"{self._file}: {path}: {rule}" if path else f"{self._file}: {rule}")

    def raise_any(self) -> None:
        """Raises OperatorError with all that was reported."""
        if self._lines:
            raise OperatorError(*self._lines)


def convert(kind: type[S], document: object, path: str, rules: Rules, report: Report) -> S | None:
    """The document as a Struct, or None if its types are wrong; all that is wrong is reported.

    The rules of a list apply to each of its items. Values are never repeated: a secret may stand
    where it should not.
    """
    if not isinstance(document, Mapping):
        report(path, "must be an object")
        return None
    fields, types = _fields(kind), _types(kind)
    values: dict[str, object] = {}
    sound = True
    for name in document:
        if name not in fields:
            report(_join(path, shown(name)), "is not known" + _suggestion(shown(name), fields))
            sound = False
    for name, field in fields.items():
        if name not in document:
            if field.required:
                report(_join(path, name), "is missing")
                sound = False
            continue
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            inner = {
                rule[len(name) + 1 :]: rules[rule] for rule in rules if rule.startswith(f"{name}.")
            }
            values[name] = convert(field.type, document[name], _join(path, name), inner, report)
            sound &= values[name] is not None
            continue
        try:
            values[name] = msgspec.convert(document[name], types[field.name])
        except msgspec.ValidationError as error:
            problem, _, at = str(error).partition(" - at `$")
            report(_join(path, name) + at.rstrip("`"), _rule(problem))
            sound = False
            continue
        _apply(rules.get(name, _no_rule), values[name], _join(path, name), report)
    return kind(**values) if sound else None


# Dear, and asked once for each of thousands of clients.
@functools.cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


@functools.cache
def _types(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _no_rule(_: object) -> Iterable[str]:
    return ()


def _apply(rule: Callable[[Any], Iterable[str]], value: object, path: str, report: Report) -> None:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            _apply(rule, item, f"{path}[{index}]", report)
    elif value is not None:
        for broken in rule(value):
            report(path, broken)


def shown(name: str) -> str:
    """A name of the operator's as it goes into a message: a piece of one line."""
    cut = name[:_MAX_SHOWN]
    return cut if cut.isprintable() else ascii(cut)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _rule(problem: str) -> str:
    """msgspec's message without the value in it."""
    expected = problem.partition(", got")[0].replace("`", "")
    if expected.startswith("Expected "):
        return "must be " + expected.removeprefix("Expected ")
    return "is not one of the values that are known"


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
