"""What a host is for: the groups of an inventory, by which checks are for it or for others."""

from __future__ import annotations

from typing import Any

import pytest

SERVERS, GATEWAYS, STATE = ALL = ("auth_servers", "gateways", "state")
_PORTS = {443: GATEWAYS, 8443: SERVERS}


def parsed(option: str) -> frozenset[str]:
    """Raises pytest.UsageError for a group that is none."""
    named = frozenset(option.split(","))
    if unknown := sorted(named - set(ALL)):
        raise pytest.UsageError(f"--groups: {', '.join(unknown)}: there are {', '.join(ALL)}")
    return named


def concerns(item: pytest.Item, groups: frozenset[str]) -> bool:
    """Whether the check is for a host of these groups: by its marks, and by the port it asks."""
    marked = [frozenset(mark.args) for mark in item.iter_markers("group")]
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if (port := parameters.get("port")) in _PORTS:
        return _PORTS[port] in groups
    # The nearest mark counts: that of a test over its file's.
    return not marked or bool(marked[0] & groups)
