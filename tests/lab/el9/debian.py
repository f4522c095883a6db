"""Debian's own description of its packages (deb-control(5)), as far as an RPM needs it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Stanza:
    """`depends` has a tuple of alternatives for each dependency, without versions."""

    name: str
    version: str
    depends: tuple[tuple[str, ...], ...]


def stanzas(text: str) -> Iterator[Stanza]:
    """Read a control file, or dpkg's status file: of that, what is installed."""
    for block in re.split(r"\n{2,}", text.strip()):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", block, re.MULTILINE))
        if fields.get("Status", "install ok installed") == "install ok installed":
            listed = ",".join(fields.get(key, "") for key in ("Pre-Depends", "Depends"))
            yield Stanza(fields["Package"], fields["Version"], tuple(_depends(listed)))


def _depends(listed: str) -> Iterator[tuple[str, ...]]:
    for dependency in listed.split(","):
        names = re.findall(r"(?:^|\|)\s*([a-z0-9.+-]+)", dependency.strip())
        if names:
            yield tuple(names)


def upstream(version: str) -> str:
    """Give the upstream part of a version (deb-version(7)), as RPM takes it: without hyphens."""
    epochless = version.partition(":")[2] or version
    return (epochless.rpartition("-")[0] or epochless).replace("-", ".")
