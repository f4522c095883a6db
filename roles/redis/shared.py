"""Redis for several servers: each host makes its own password, and only its hash leaves it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from pyinfra import host, inventory, state
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.facts import FileStates
from roles.files import managed_file, render
from roles.questions import operation
from roles.redis.credentials import ACL, PASSWORD, PASSWORD_STATE, make_password
from roles.redis.trial import trial

_SCRIPT = f"""\
set -eu
umask 077
password={PASSWORD}
find "${{password%/*}}" -maxdepth 1 -name '.portcullis-*' -type d -mmin +60 \\
  -exec rm -rf {{}} + || :
fresh=$(mktemp -d "${{password%/*}}/.portcullis-XXXXXX")
trap 'rm -rf "$fresh"' EXIT
{make_password()}"""


class PasswordHash(FactBase[str]):
    """The SHA-256 of the host's password, or nothing where it has none as it should be."""

    @override
    def command(self) -> str:
        return f"stat -c '%U:%G %a' {PASSWORD} && sha256sum < {PASSWORD} | cut -c1-64; true"

    @override
    def process(self, output: Iterable[str]) -> str:
        state, *digest = [*output] or [""]
        return digest[0] if digest and state == PASSWORD_STATE else ""

    @staticmethod
    @override
    def default() -> str:
        return ""


@operation()
def password() -> Generator[StringCommand, None, None]:
    """Keep a password of this host's, made once."""
    if host.get_fact(PasswordHash):
        host.noop("the host has a password")
        return
    yield StringCommand("sh", "-c", QuoteString(_SCRIPT))


@operation()
def shared_acl(servers: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Keep an ACL file with the hash of each server's password; `servers` are hosts' names."""
    host.get_fact(FileStates, paths=[ACL])
    # While this is planned some host may have none yet; each has made its own before this is done.
    digests = {name: inventory.get_host(name).get_fact(PasswordHash) for name in servers}
    known = sorted({digest for digest in digests.values() if digest})
    if state.is_executing and not all(digests.values()):
        silent = ", ".join(name for name, digest in digests.items() if not digest)
        yield StringCommand(
            "echo", QuoteString(f"{silent}: has no password for Redis"), ">&2; exit 1"
        )
        return
    yield from managed_file._inner(
        path=ACL,
        content=render("redis/users.acl.j2", password_sha256=" #".join(known)),
        group="redis",
        mode="0640",
        check=trial('--aclfile "$candidate"'),
    )
