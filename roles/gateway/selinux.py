"""SELinux, where the kernel has it on: nginx runs as httpd_t, and may open few sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.questions import operation

_STAMP = "/var/lib/portcullis/applied/selinux"

# selinuxfs is mounted where SELinux is enforcing or permissive, and nowhere else (selinux(8)). What
# semodule has installed lies there by priority and name; asking itself takes it half a second.
_ASK = f"""\
test -e /sys/fs/selinux/enforce || exit 0
echo on
ls -d /var/lib/selinux/*/active/modules/400/portcullis > /dev/null 2>&1 || exit 0
cat {_STAMP} 2> /dev/null || true"""

_LOAD = f"""\
set -eu
umask 077
stage=$(mktemp -d)
trap 'rm -rf "$stage" {_STAMP}.new' EXIT
cat > "$stage/portcullis.cil"
semodule -i "$stage/portcullis.cil"
install -d -m 0755 {_STAMP.rpartition("/")[0]}
sha256sum < "$stage/portcullis.cil" | cut -c 1-64 > {_STAMP}.new
mv -T {_STAMP}.new {_STAMP}"""


@dataclass(frozen=True)
class Selinux:
    """`loaded` is the digest of our module's text, if it is installed."""

    on: bool
    loaded: str | None


class SelinuxState(FactBase[Selinux]):
    """Whether SELinux is on, and with which text our module was loaded."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_ASK))

    @override
    def process(self, output: Iterable[str]) -> Selinux:
        first, *rest = [*output] or [""]
        return Selinux(on=first == "on", loaded=rest[0] if rest else None)

    @staticmethod
    @override
    def default() -> Selinux:
        return Selinux(on=False, loaded=None)


@operation()
def policy_loaded(text: str) -> Generator[StringCommand, None, None]:
    """Have the policy module `portcullis` with this text (CIL) loaded, if SELinux is on."""
    found = host.get_fact(SelinuxState)
    if not found.on:
        host.noop("SELinux is off")
    elif found.loaded == hashlib.sha256(text.encode()).hexdigest():
        host.noop("the policy module is loaded")
    else:
        yield StringCommand("sh", "-c", QuoteString(_LOAD), _stdin=text)
