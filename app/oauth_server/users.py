"""users.json: who may log in, and the hash of their password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from oauth_server import files, json_document, passwords, schema

MAX_BYTES = 16 * 1024 * 1024
DEPLOY = "deploy"
"""The `managed_by` of a file that the inventory owns, and the command line leaves alone."""

# The same in a URL and, but for the @, in the log; one spelling for each user.
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of users.json; the `username` is the `sub` of this user's tokens."""

    username: str
    password_hash: str
    disabled: bool = False


class Users(Mapping[str, User]):
    """By username; those that are disabled are among them."""

    def __init__(self, users: Iterable[User] = (), *, managed_by: str | None = None) -> None:
        self._by_name = {user.username: user for user in users}
        self.managed_by = managed_by

    def __getitem__(self, username: str) -> User:
        return self._by_name[username]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def active(self, username: str) -> User | None:
        """The user, if there is one who may log in."""
        user = self._by_name.get(username)
        return None if user is None or user.disabled else user

    def is_active(self, subject: str) -> bool:
        """Whether what was issued for this subject may still be used."""
        return self.active(subject) is not None


def load(path: Path) -> Users:
    """The users of a file that is valid as a whole; OperatorError has every problem otherwise.

    No file, no users: a server for machines alone needs none.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return Users()
    except OSError:
        pass  # reading it says why
    return parse(path, files.read_text(path, max_bytes=MAX_BYTES))


def parse(path: Path, text: str) -> Users:
    """As `load`, of a content that was read."""
    document = json_document.parse(path, text)
    problems = schema.Problems(path)
    users: dict[str, User] = {}
    for index, entry in enumerate(_entries(document, problems.report)):
        where = f"users[{index}]"
        user = schema.convert(User, entry, where, _RULES, problems.report)
        if user is None:
            continue
        if user.username in users:
            problems.report(f"{where}.username", "belongs to an earlier entry already")
        users[user.username] = user
    problems.raise_any()
    managed_by = document.get("managed_by") if isinstance(document, dict) else None
    return Users(users.values(), managed_by=managed_by)


def check_apart(path: Path, users: Users, client_ids: Iterable[str]) -> None:
    """Raises OperatorError if a user has a client's name.

    Both become the `sub` of tokens: a resource server could not tell them apart (RFC 9700 §4.15).
    """
    problems = schema.Problems(path)
    for client_id in client_ids:
        if client_id in users:
            problems.report(client_id, "is a client_id, too; a username must not be one")
    problems.raise_any()


def is_username(text: str) -> bool:
    return _USERNAME.fullmatch(text) is not None


def _entries(document: object, report: schema.Report) -> list[object]:
    entries = document.get("users") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(entries, list):
        report("", 'must be {"users": [ … ]}')
        return []
    for name in document.keys() - {"users", "managed_by"}:
        report(schema.shown(name), "is not known")
    if document.get("managed_by", DEPLOY) != DEPLOY:
        report("managed_by", f'must be "{DEPLOY}", or absent')
    return entries


def _username(username: str) -> Iterator[str]:
    if not is_username(username):
        yield (
            "must be 1 to 64 lower case letters, digits, dots, hyphens, _ or @, "
            "and begin with a letter or a digit"
        )


def _password_hash(text: str) -> Iterator[str]:
    if not passwords.is_hash(text):
        yield (
            "must be Argon2id with m=65536,t=3,p=4, a salt of 16 bytes and a tag of 32; "
            "`oauth-server users hash` makes one"
        )


_RULES: schema.Rules = {"username": _username, "password_hash": _password_hash}
