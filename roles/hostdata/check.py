"""Faults of an inventory, in the words of whoever writes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pyinfra.api.arguments import all_global_arguments

from roles.errors import DeployError
from roles.hostdata.host import HostData
from roles.hostdata.schema import Data
from roles.secrets import Source

_GLOBAL_ARGUMENTS = frozenset(name for name, _ in all_global_arguments() if name.startswith("_"))


class HostDataError(DeployError):
    """Every fault of the inventory, a line each: host, key, rule."""


def validate(host: str, data: Mapping[Any, Any], *, connection_keys: frozenset[str]) -> HostData:
    """Check one host's merged inventory data.

    `connection_keys` are those that pyinfra itself reads (`ssh_user` and so on), as it does its
    global arguments (`_sudo` and so on). No value is ever part of a message.

    Raises HostDataError.
    """
    pyinfras = connection_keys | _GLOBAL_ARGUMENTS
    ours = {key: value for key, value in data.items() if key not in pyinfras}
    try:
        return HostData.model_validate(ours)
    except ValidationError as error:
        raise HostDataError("\n".join(_lines(host, error, pyinfras))) from None


def _lines(host: str, error: ValidationError, pyinfras: frozenset[str]) -> Iterator[str]:
    faults = error.errors(include_input=False, include_url=False)
    for fault in faults:
        location = fault["loc"]
        if any(other["loc"][: len(location)] == location != other["loc"] for other in faults):
            continue  # what lies beneath is the reason, and has its own line
        path = _path(location)
        rule = _rule(fault)
        if location[-1:] == ("[key]",):
            rule = f"the key itself {rule}"
        if fault["type"] == "extra_forbidden":
            rule += _suggestion(location, pyinfras)
        yield f"{host}: {path}: {rule}" if path else f"{host}: {rule}"


_RULES = {
    "extra_forbidden": "unknown key",
    "invalid_key": "a key must be text",
    "missing": "is missing",
    "union_tag_not_found": "its mode must be local_ca, files or acme",
    "union_tag_invalid": "its mode must be local_ca, files or acme",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_type": "must be text",
    "string_unicode": "must be text that UTF-8 can hold",
    "path_type": "must be a path, as text",
    "int_type": "must be a whole number",
    "bool_type": "must be True or False",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
}


def _rule(fault: ErrorDetails) -> str:
    """In the words of whoever writes an inventory, who knows of no tuple and no model."""
    wording = _RULES.get(fault["type"])
    if wording is None:
        return fault["msg"].removeprefix("Value error, ")
    return wording.format_map(fault.get("ctx", {}))


def _path(location: tuple[int | str, ...]) -> str:
    """`clients[0].redirect_uris[1]`; pydantic's own tags are no part of what was written."""
    parts = [
        part
        for position, part in enumerate(location)
        if not (position == 1 and part in ("local_ca", "files", "acme")) and part != "[key]"
    ]
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".")
    return path if path.isprintable() else ascii(path)[1:-1]


def _suggestion(location: tuple[int | str, ...], pyinfras: frozenset[str]) -> str:
    models: list[type[BaseModel]] = [*Data.__subclasses__(), Source]
    if len(location) > 1:
        models.remove(HostData)
    known = {name for model in models for name in model.model_fields}
    if len(location) == 1:
        known |= pyinfras
    near = get_close_matches(str(location[-1]), sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
