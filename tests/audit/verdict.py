"""How a check says that something is not as it must be: the rule, what was expected and seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import pytest


def must_equal(rule: str, *, seen: object, expected: object) -> None:
    """End the check unless both are equal; of mappings only what differs is shown."""
    if seen == expected:
        return
    if isinstance(seen, Mapping) and isinstance(expected, Mapping):
        lines = [
            f"  {key}\n    expected: {expected.get(key, 'nothing')}"
            f"\n    seen:     {seen.get(key, 'nothing')}"
            for key in {**expected, **seen}
            if seen.get(key) != expected.get(key)
        ]
    else:
        lines = [f"  expected: {expected}", f"  seen:     {seen}"]
    pytest.fail("\n".join([rule, *lines]), pytrace=False)


def must_hold(rule: str, holds: object, *, expected: str, seen: object) -> None:
    """End the check unless `holds`; for rules that are no equality."""
    if not holds:
        pytest.fail(f"{rule}\n  expected: {expected}\n  seen:     {seen}", pytrace=False)


def not_checked(reason: str) -> NoReturn:
    """End the check without a verdict. A report shows it as skipped, with the reason."""
    pytest.skip(f"not checked: {reason}")
