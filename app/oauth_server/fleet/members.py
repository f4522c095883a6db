"""fleet.json: which hosts are servers of this issuer, and by which identities they are known.

The deploy writes it. Without the file the host is alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from oauth_server import files, json_document, schema
from oauth_server.fleet import identity, statement
from oauth_server.fleet.statement import StatementError
from oauth_server.keys.algorithms import KeyFormatError
from oauth_server.keys.jose import PublicKey

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_MAX_BYTES = 4 * 1024 * 1024


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    identity: str
    address: str | None = None
    keys: tuple[Mapping[str, object], ...] = ()
    as_of: Annotated[int, msgspec.Meta(ge=0, lt=10**15)] = 0


class _File(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    ca_file: str | None = None
    members: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class Member:
    """`keys` are what the deploy found on the host, `as_of` their place in its sequence.

    `address` is where others reach the host itself.
    """

    host: str
    identity: PublicKey
    address: str | None = None
    keys: Sequence[PublicKey] = ()
    as_of: int = 0


@dataclass(frozen=True)
class Fleet:
    """`host` is this one's name; `others` are all but this one. `ca_file` is for asking them."""

    host: str
    others: Sequence[Member] = ()
    ca_file: Path | None = None

    @property
    def hosts(self) -> Sequence[str]:
        """All of them, this one first."""
        return (self.host, *(member.host for member in self.others))


def load(path: Path) -> Fleet | None:
    """None where there is no file. Raises OperatorError."""
    if files.missing(path):
        return None
    document = json_document.parse(path, files.read_text(path, max_bytes=_MAX_BYTES))
    problems = schema.Problems(path)
    found = schema.convert(_File, document, "", _RULES, problems.report)
    problems.raise_any()
    assert found is not None  # noqa: S101 - raise_any has raised otherwise
    members = []
    for index, written in enumerate(found.members):
        where = f"members[{index}]"
        entry = schema.convert(_Entry, written, where, _MEMBER_RULES, problems.report)
        member = None if entry is None else _member(entry, where, problems.report)
        if member is not None:
            members.append(member)
    _check_apart(members, problems.report)
    problems.raise_any()
    others = tuple(member for member in members if member.host != found.host)
    return Fleet(found.host, others, Path(found.ca_file) if found.ca_file else None)


def _member(entry: _Entry, where: str, report: schema.Report) -> Member | None:
    try:
        known_by = identity.public_key(entry.identity)
    except KeyFormatError:
        report(f"{where}.identity", "must be an Ed25519 public key, base64url without padding")
        return None
    try:
        keys = statement.keys(entry.keys)
    except StatementError:
        report(f"{where}.keys", "must be public JWKs, each with alg and its thumbprint as kid")
        return None
    return Member(entry.host, known_by, entry.address, keys, entry.as_of)


def _check_apart(members: Sequence[Member], report: schema.Report) -> None:
    for name, values in (
        ("host", [member.host for member in members]),
        ("identity", [member.identity.thumbprint for member in members]),
    ):
        for index, value in enumerate(values):
            if value in values[:index]:
                report(f"members[{index}].{name}", "belongs to an earlier member already")


def _host(name: str) -> Iterator[str]:
    if not _HOST.fullmatch(name):
        yield "must be letters, digits, dots, hyphens and _, as in a host's name"


def _address(address: str) -> Iterator[str]:
    if not _ADDRESS.fullmatch(address):
        yield "must be a host's name or address, an IPv6 one in brackets"


def _absolute(path: str) -> Iterator[str]:
    if not path.startswith("/"):
        yield "must be an absolute path"


_RULES: schema.Rules = {"host": _host, "ca_file": _absolute}
_MEMBER_RULES: schema.Rules = {"host": _host, "address": _address}
