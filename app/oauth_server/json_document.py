"""JSON as an operator's file has it, read in one way only (RFC 8259 §4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

from oauth_server import schema
from oauth_server.errors import OperatorError


def parse(path: Path, text: str) -> object:
    """Raises OperatorError, which names the place."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise OperatorError(f"{path}: {where}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path}: is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Readers differ in which of two equal members they take: refuse them."""
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{schema.shown(name)} is given twice in one object")
        members[name] = value
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
