"""The certificate that a host serves now."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

DIRECTORY = "/etc/oauth2/certs"

_WITHIN = 20  # seconds
_MOST = 256 * 1024  # bytes


@dataclass(frozen=True)
class Installed:
    """`layout`: a line for each link, owner and mode, a leftover, and whether the key fits."""

    layout: tuple[str, ...]
    chain: str
    ca: str | None


def sound_layout(*, with_ca: bool) -> tuple[str, ...]:
    """The layout of a host on which nothing is amiss."""
    lines = [
        "active -> pair",
        "server.pem -> active/server.pem",
        "server.key -> active/server.key",
        "ca.pem -> active/ca.pem" if with_ca else "ca.pem ->",
        ". oauth_user:oauth_group 0750",
        "active/. oauth_user:oauth_group 0750",
        "active/server.pem oauth_user:oauth_group 0640",
        "active/server.key oauth_user:oauth_group 0600",
    ]
    if with_ca:
        lines.append("active/ca.pem oauth_user:oauth_group 0644")
    return (*lines, "the key fits")


# Nobody but root and the service's own account writes here, yet the account may have been broken
# into: root must not follow what it has linked, so whatever can be is done as that account. Nor
# may a pipe keep a deploy waiting, or a device fill the memory of the control machine.
_COMMAND = f"""\
cd {DIRECTORY} 2>/dev/null || exit 0
for link in active server.pem server.key ca.pem; do echo "$link -> $(readlink "$link")"; done
for path in . active/. active/server.pem active/server.key active/ca.pem; do
  stat -c "%n %U:%G %04a" "$path" 2>/dev/null
done
for pair in pair-*; do
  if [ -e "$pair" ] && [ "$pair" != "$(readlink active)" ]; then echo "left over: $pair"; fi
done
timeout {_WITHIN} setpriv --reuid=oauth_user --regid=oauth_group --clear-groups sh -c '
  key=$(openssl pkey -in active/server.key -passin pass: -pubout 2>/dev/null) &&
    [ "$key" = "$(openssl x509 -in active/server.pem -noout -pubkey)" ] && echo "the key fits"
  echo ==; head -c {_MOST} active/server.pem
  echo ==; head -c {_MOST} active/ca.pem' 2>/dev/null
true
"""


class InstalledPair(FactBase[Installed]):
    """Everything about the host's certificate in one command; no private byte is in it."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_COMMAND))

    @override
    def process(self, output: Iterable[str]) -> Installed:
        layout, chain, ca = (*"\n".join(output).split("\n=="), "", "")[:3]
        lines = (line.rstrip() for line in layout.splitlines())
        return Installed(
            layout=tuple(re.sub(r"^active -> pair-\w+$", "active -> pair", line) for line in lines),
            chain=_text(chain) or "",
            ca=_text(ca),
        )

    @staticmethod
    @override
    def default() -> Installed:
        return Installed(layout=(), chain="", ca=None)


def _text(section: str) -> str | None:
    text = section.lstrip("\n")
    return f"{text}\n" if text else None
