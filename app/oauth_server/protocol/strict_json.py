"""JSON from strangers, read in one way only (RFC 8259 §4, RFC 7493 §2)."""

from __future__ import annotations

import json
from typing import NoReturn

_MAX_DIGITS = 15  # whole numbers below are the same for every reader (RFC 7493 §2.2)


def parse_object(content: bytes) -> dict[str, object]:
    """Raises ValueError for what is no object or could be read in two ways.

    That is: not UTF-8, a member that is there twice, NaN and infinity by whatever spelling, whole
    numbers past 15 digits, lone surrogates, and what is nested too deep.
    """
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
        # A lone surrogate has no UTF-8: it would break whatever it is passed on to.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if not isinstance(document, dict):
        raise ValueError("is not an object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("has a member twice")
    return members


def _no_constant(_: str) -> NoReturn:
    raise ValueError("has a number that is none")


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise ValueError("has a number that is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):  # 1e400
        raise ValueError("has a number that is too large")
    return number
