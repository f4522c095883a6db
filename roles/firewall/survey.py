"""What stands in a host's way in, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

# Rules of others that a SYN which conntrack does not know would fail: they wait for its state, or
# send the port elsewhere. ufw's and firewalld's own do not.
_LOOK = r"""
PATH=/usr/sbin:/sbin:$PATH
sshd -T 2>/dev/null | sed -n 's/^port /ssh /p'
for kind in t u; do
  ss -Hln${kind}p 2>/dev/null |
    sed -n "s/^[A-Z]* *[0-9]* *[0-9]* *\([^ ]*\):\([0-9]*\) .*/listen ${kind} \2 \1 &/p" |
    sed 's/ users:(("\([^"]*\)".*/ by=\1/; s/ [A-Z]* .* by=/ by=/'
done
systemctl is-active --quiet firewalld.service && echo firewalld
grep -qsx 0 /proc/sys/net/netfilter/nf_conntrack_tcp_loose && echo strict
nft list ruleset 2>/dev/null | awk '
  $1 == "table" { ours = $3 ~ /^(portcullis|f2b-)/; known = $2 $3 == "inetfirewalld" }
  $1 == "chain" { chain = $2; if (ours && chain == "entrance") print "entrance" }
  ours || known || chain ~ /^ufw6?-/ { next }
  /hook input/ && /policy drop/ { print "drops" }
  /ct state [^;]*new/ && !/untracked/ || /xt match "(state|conntrack)"/ { print "tracks" }
  /(dnat|redirect|tproxy|synproxy|DNAT|REDIRECT)/ {
    if (!/dport [0-9]+ / || / dport (80|443|8080|8443) /) print "tracks"
  }'
true"""


@dataclass(frozen=True)
class Listener:
    """`protocol` is `tcp` or `udp`."""

    protocol: str
    port: int
    program: str


@dataclass(frozen=True)
class Survey:
    """`ssh` are sshd's ports. `drops` says that rules of others close what they do not name.

    `tracks` says that rules of others need conntrack to know a connection from its first packet.
    `entrance` says that our own rules close what is not open already.
    """

    ssh: tuple[int, ...] = ()
    listeners: tuple[Listener, ...] = ()
    firewalld: bool = False
    drops: bool = False
    tracks: bool = False
    entrance: bool = False


class FirewallSurvey(FactBase[Survey]):
    """Who listens, and which rules are there, in one command."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_LOOK))

    @override
    def process(self, output: Iterable[str]) -> Survey:
        told: dict[str, list[str]] = {}
        for line in output:
            word, _, rest = line.partition(" ")
            told.setdefault(word, []).append(rest)
        listeners = [_listener(line) for line in told.get("listen", ())]
        known = [one for one in listeners if one is not None]
        ssh = {int(port) for port in told.get("ssh", ()) if port.isdigit()}
        ssh |= {one.port for one in known if one.protocol == "tcp" and one.program == "sshd"}
        return Survey(
            ssh=tuple(sorted(ssh)),
            listeners=tuple(dict.fromkeys(known)),
            firewalld="firewalld" in told,
            drops="drops" in told,
            tracks="tracks" in told or "strict" in told,
            entrance="entrance" in told,
        )

    @staticmethod
    @override
    def default() -> Survey:
        return Survey()


def _listener(line: str) -> Listener | None:
    """One that the network reaches: `t 22 0.0.0.0 by=sshd`."""
    kind, port, address, *rest = line.split()
    if address.startswith(("127.", "[::1]", "[::ffff:127.")):
        return None
    program = rest[0].removeprefix("by=") if rest and rest[0].startswith("by=") else ""
    return Listener("tcp" if kind == "t" else "udp", int(port), program)


class SshPort(FactBase["int | None"]):
    """The port of this host's that this deploy came in by; None for a connection that is not SSH.

    Ask with `_sudo=False`: sudo takes SSH_CONNECTION away.
    """

    @override
    def command(self) -> str:
        return 'echo "$SSH_CONNECTION"'

    @override
    def process(self, output: Iterable[str]) -> int | None:
        words = " ".join(output).split()
        return int(words[3]) if len(words) == 4 and words[3].isdigit() else None
