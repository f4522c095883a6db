"""controls.yaml, and what a run says of each control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_WORST_FIRST = ("failed", "error", "skipped", "passed")


@dataclass(frozen=True)
class Control:
    """`references` are benchmark ids and sections of RFCs."""

    id: str
    title: str
    why: str
    references: tuple[str, ...] = ()


@cache
def load() -> dict[str, Control]:
    """All controls by id, in the order of the file."""
    entries = yaml.safe_load(Path(__file__).with_name("controls.yaml").read_text())
    controls = [
        Control(**{**entry, "references": tuple(entry.get("references", ()))}) for entry in entries
    ]
    return {control.id: control for control in controls}


def verdicts(stats: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, str]]:
    """By host and control the worst outcome of its checks, from pytest's reports."""
    found: dict[str, dict[str, str]] = {}
    for outcome in reversed(_WORST_FIRST):
        for report in stats.get(outcome, ()):
            properties = getattr(report, "user_properties", ())
            for host in (str(value) for key, value in properties if key == "host"):
                for control in (str(value) for key, value in properties if key == "control"):
                    found.setdefault(host, {})[control] = outcome
    return found


def summary(by_control: Mapping[str, str]) -> Iterator[str]:
    """Lines for a terminal: a count, then each control that is not met or was not checked."""
    met = [control for control, outcome in by_control.items() if outcome == "passed"]
    yield f"{len(met)} of {len(by_control)} controls met"
    for control in load().values():
        outcome = by_control.get(control.id, "passed")
        if outcome != "passed":
            word = "NOT MET" if outcome == "failed" else "not checked"
            yield f"  {control.id}  {word}: {control.title}"
