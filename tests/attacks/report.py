"""`make attack-report`: what honest clients see of each attack, on a plain Debian host and on ours.

One run, each attack on one host right after the other, both with nothing else to do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from tests.attacks import plain
from tests.attacks.arena import Arena, arena, guarded_exit
from tests.attacks.crowds import CROWDS
from tests.attacks.measure import Calls, Outcome, syn_flood
from tests.attacks.requests import token_request
from tests.deploy import running
from tests.lab import lab as labs
from tests.lab.fixtures import RunningLab, unused_name
from tests.lab.kinds import DEFAULT_KIND

Attack = Callable[[Arena, int, Calls], Outcome]

_HEAD = (
    "attack", "host", "success", "connect p50", "p99", "packets/s or connections",
    "CPU µs/packet", "cookies sent", "received", "listen drops",
    "wscale and SACK", "tracked",
)  # fmt: skip
# How many a firewall is written: every SYN takes a place in the table of connections.
_STATEFUL = """table inet plain { chain input { type filter hook input priority 0; policy drop;
iif lo accept; ct state established,related accept; tcp dport { 22, 443, 8443 } accept; }; }"""


def _with_setting(key: str, worse: int, better: int) -> Attack:
    def attack(on: Arena, port: int, calls: Calls) -> Outcome:
        on.on_host(f"sysctl -qw {key}={worse}")
        try:
            return syn_flood(on, port, calls)
        finally:
            on.on_host(f"sysctl -qw {key}={better}")

    return attack


def _behind_a_stateful_firewall(on: Arena, port: int, calls: Calls) -> Outcome:
    on.on_host(f"nft {running.quoted(_STATEFUL)}")
    try:
        return syn_flood(on, port, calls)
    finally:
        on.on_host("nft delete table inet plain")


def _told(attack: str, host: str, outcome: Outcome) -> str:
    packets, counted = outcome.attack.get("packets"), outcome.counted
    how_many = (
        f"{packets / outcome.attack['seconds']:,.0f}/s"
        if packets
        else f"{outcome.attack['most']:,}"
    )
    cells = [
        attack, host, f"{outcome.success:.0%}",
        *(f"{1000 * outcome.connect(share):.1f} ms" for share in (0.5, 0.99)),
        how_many,
        f"{1e6 * counted.busy / packets:.1f}" if packets else "–",
        f"{counted['TcpExtSyncookiesSent']:,}", f"{counted['TcpExtSyncookiesRecv']:,}",
        f"{counted['TcpExtListenDrops']:,}",
        f"{outcome.with_options:.0%}" if packets else "–",
        f"{counted.tracked:,}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _host(cleanup: ExitStack) -> RunningLab:
    name = unused_name()
    cleanup.callback(labs.down, name)
    return RunningLab(labs.up(name, [DEFAULT_KIND]))


def main() -> None:
    with ExitStack() as cleanup:
        way_out = cleanup.enter_context(guarded_exit())
        usual, ours = _host(cleanup), _host(cleanup)
        plain.set_up(usual)
        running.deploy(ours)
        on_plain, on_ours = (cleanup.enter_context(arena(lab)) for lab in (usual, ours))
        theirs, tokens = Calls(plain.REQUEST), Calls(token_request(ours.lab_json))
        print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}", flush=True)
        for name, attack in _attacks().items():
            print(_told(name, "plain, 443", attack(on_plain, 443, theirs)), flush=True)
            if name.startswith("plain's own"):
                continue
            for port in (443, 8443):
                print(_told(name, f"ours, {port}", attack(on_ours, port, tokens)), flush=True)
        print(f"\nLeft this machine: {way_out.left} packets.")
        if way_out.left:
            sys.exit(1)


def _attacks() -> dict[str, Attack]:
    cookies = _with_setting("net.ipv4.tcp_syncookies", 0, 1)
    stamps = _with_setting("net.ipv4.tcp_timestamps", 0, 1)
    return {
        "forged SYNs": syn_flood,
        "plain's own cookies off": cookies,
        "plain's own timestamps off": stamps,
        "plain's own stateful firewall": _behind_a_stateful_firewall,
        **{name: crowd.attack for name, crowd in CROWDS.items()},
    }


if __name__ == "__main__":
    main()
