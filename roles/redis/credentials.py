"""The password that the server shows to Redis, and the ACL that knows its hash.

The host makes both: the password leaves it by no way, and is in no argument list.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from shlex import quote

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.history import OURS, after, before, origin, tell
from roles.questions import operation
from roles.redis.trial import trial

PASSWORD = "/etc/oauth2/redis.password"  # noqa: S105 - where it lies
ACL = "/etc/redis/users.acl"
HASH = "@password_sha256@"
"""What stands for the hash in the text of the ACL."""

_PASSWORD_OWNER = "root:oauth_group"  # noqa: S105
_ACL_OWNER = "root:redis"
_MODE = "640"


PASSWORD_STATE = f"{_PASSWORD_OWNER} {_MODE}"


# link(2) gives the name to one of two that make a password at once, whole and with its owner;
# a run killed before it leaves no password, and one killed after it a password without an ACL.
def make_password() -> str:
    """Shell that has a sound password at `$password`; `$fresh` is a directory beside it."""
    return f"""\
if ! test -e "$password"; then
  od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' > "$fresh/password"
  chown {_PASSWORD_OWNER} "$fresh/password"
  chmod {_MODE} "$fresh/password"
  sync "$fresh/password"
  ln -T "$fresh/password" "$password" 2> /dev/null || test -e "$password"
fi
test "$(wc -c < "$password")" = 64 && grep -Eqx '[0-9a-f]{{64}}' "$password" || {{
  echo "$password holds no password of ours: remove it, and a new one is made" >&2; exit 1; }}
chown {_PASSWORD_OWNER} "$password"
chmod {_MODE} "$password"
"""


def _make() -> str:
    return f"""\
set -eu
umask 077
password={PASSWORD} acl={ACL}
find "${{password%/*}}" "${{acl%/*}}" -maxdepth 1 -name '.portcullis-*' -type d -mmin +60 \\
  -exec rm -rf {{}} + || :
stage=$(mktemp -d "${{acl%/*}}/.portcullis-XXXXXX")
fresh=$(mktemp -d "${{password%/*}}/.portcullis-XXXXXX")
trap 'rm -rf "$stage" "$fresh"' EXIT
{make_password()}hash=$(sha256sum < "$password" | cut -c1-64)
candidate="$stage/${{acl##*/}}"
sed "s/{HASH}/$hash/" > "$candidate"
chown {_ACL_OWNER} "$candidate"
chmod {_MODE} "$candidate"
{trial('--aclfile "$candidate"')}
sync "$candidate"
target=$acl digest=$(sha256sum < "$candidate" | cut -c1-64)
{before("$digest")}mv -T "$candidate" "$acl"
{after("$digest")}"""


@dataclass(frozen=True)
class Credentials:
    """`belong`: the password is there, and the ACL is the wanted one with that password's hash.

    `origin` is whence the ACL is that is there, in the words of roles.history.
    """

    belong: bool
    origin: str


class CredentialsState(FactBase[Credentials]):
    """What is there for a wanted ACL, in one command."""

    @override
    def command(self, acl: str) -> str:
        return (
            f"path={ACL}; hash=$(sha256sum < {PASSWORD} | cut -c1-64) &&"
            f' printf %s {quote(acl)} | sed "s/{HASH}/$hash/" | cmp -s - {ACL} &&'
            f" stat -c '%U:%G %a' {PASSWORD} {ACL};"
            ' test -f "$path" && sum=$(sha256sum < "$path" | cut -c1-64) &&'
            f" {{ {origin()}\n}}; true"
        )

    @override
    def process(self, output: Iterable[str]) -> Credentials:
        *states, whence = [*output] or [""]
        wanted = [PASSWORD_STATE, f"{_ACL_OWNER} {_MODE}"]
        return Credentials(states == wanted, whence)

    @staticmethod
    @override
    def default() -> Credentials:
        return Credentials(belong=False, origin="")


@operation()
def credentials(acl: str) -> Generator[StringCommand, None, None]:
    """Keep a password, made once, and the ACL file that belongs to it.

    `acl` is the file's text, with HASH where the password's SHA-256 goes. To change the password
    remove its file and deploy: the ACL follows.
    """
    found = host.get_fact(CredentialsState, acl=acl)
    if found.belong and found.origin == OURS:
        host.noop("the ACL belongs to the password")
        return
    if not found.belong:
        tell(ACL, found.origin)
    yield StringCommand("sh", "-c", QuoteString(_make()), _stdin=acl)
