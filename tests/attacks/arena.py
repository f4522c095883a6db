"""Where a lab host is attacked: an attacker and honest clients in network namespaces of their own.

Every address that isn't the lab's own is of 198.18.0.0/15 (RFC 2544), to which the lab host has a
route for the time of the test: forged sources are answered into a namespace that holds no such
address and forwards nothing. A rule on this machine's way out counts, and drops, what would leave.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from pathlib import Path

from tests.deploy.running import quoted
from tests.lab import naming, prerequisites
from tests.lab.fixtures import RunningLab
from tests.lab.machine import run

FORGED = IPv4Network("198.19.0.0/16")
ATTACKERS = IPv4Network("198.18.0.0/17")
CLIENTS = IPv4Network("198.18.128.0/17")
_ALL = IPv4Network("198.18.0.0/15")
_SCRIPTS = Path(__file__).parent
_PROGRAMS = {"nft": "nftables", "trafgen": "netsniff-ng"}


@dataclass(frozen=True)
class Side:
    """A namespace on the lab's bridge, whose processes can have any address of a network."""

    namespace: str
    address: str
    interface: str

    def command(self, *argv: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *argv]

    def start(self, script: str, **options: object) -> subprocess.Popen[str]:
        """Start a script of this directory, which reads its options from its first argument."""
        program = [sys.executable, "-I", str(_SCRIPTS / script), json.dumps(options)]
        return subprocess.Popen(
            self.command("setpriv", "--pdeathsig", "KILL", "--", *program),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


@dataclass(frozen=True)
class Arena:
    lab: RunningLab
    attacker: Side
    clients: Side
    host_interface: str
    host_mac: str

    @property
    def target(self) -> str:
        return self.lab.hosts[0].address

    def on_host(self, command: str) -> str:
        done = self.lab.ssh(f"sudo sh -c {quoted(command)}")
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def arena(lab: RunningLab) -> Iterator[Arena]:
    with ExitStack() as cleanup:
        attacker = _side(cleanup, lab, "a", 201, ATTACKERS)
        clients = _side(cleanup, lab, "c", 202, CLIENTS)
        built = Arena(lab, attacker, clients, "host0", _mac(lab))
        routes = {FORGED: attacker, ATTACKERS: attacker, CLIENTS: clients}
        script = "; ".join(
            f"ip route replace {network} via {side.address}" for network, side in routes.items()
        )
        cleanup.callback(
            built.on_host, "; ".join(f"ip route del {network} || true" for network in routes)
        )
        # What it knows of an arena before this one would send its answers to nobody for 5 s.
        built.on_host(f"{script}; ip neigh flush dev {built.host_interface}")
        yield built


def _side(
    cleanup: ExitStack, lab: RunningLab, letter: str, number: int, network: IPv4Network
) -> Side:
    name = f"pca{letter}{lab.name}"[:15]
    address = str(ip_address(lab.hosts[0].address) - 11 + number)
    subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
    run("ip", "netns", "add", name)
    cleanup.callback(run, "ip", "netns", "del", name)
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", "dev", name, "master", naming.bridge(lab.name), "up")
    inside = ("ip", "-netns", name)
    run(*inside, "link", "set", "dev", "lo", "up")
    run(*inside, "link", "set", "dev", "eth0", "up")
    run(*inside, "address", "add", f"{address}/24", "dev", "eth0")
    run(*inside, "route", "add", "local", str(network), "dev", "lo")
    for setting in ("net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"):
        key, _, value = setting.partition("=")
        path = f"/proc/sys/{key.replace('.', '/')}"
        run("ip", "netns", "exec", name, "sh", "-c", f"echo {value} > {path}")
    return Side(name, address, "eth0")


def _mac(lab: RunningLab) -> str:
    return lab.ssh("cat /sys/class/net/host0/address").stdout.strip()


_RULES = """
table inet {table} {{
  counter left {{}}
  chain forward {{
    type filter hook forward priority -300
    oifname "{bridges}" accept
    ip saddr {all} counter name left drop
    ip daddr {all} counter name left drop
  }}
  chain output {{
    type filter hook output priority -300
    oifname "{bridges}" accept
    ip saddr {all} counter name left drop
    ip daddr {all} counter name left drop
  }}
}}
"""


@dataclass(frozen=True)
class Exit:
    """The way out of this machine, where nothing of an attack may be seen."""

    table: str

    @property
    def left(self) -> int:
        listed = run("nft", "list", "counter", "inet", self.table, "left")
        found = re.search(r"packets (\d+)", listed)
        assert found is not None, listed
        return int(found[1])


@contextmanager
def guarded_exit() -> Iterator[Exit]:
    """Count and drop what is of our addresses and leaves by anything but labs' bridges.

    One packet is sent to see that it does: a counter that can't count proves nothing.
    """
    prerequisites.have(_PROGRAMS)
    table = f"portcullis_attacks_{os.getpid()}"
    bridges = naming.bridge("*")
    run("nft", "-f", "-", stdin=_RULES.format(table=table, bridges=bridges, all=_ALL))
    try:
        watched = Exit(table)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(PermissionError):
            probe.sendto(b"x", (str(_ALL[1]), 9))
        assert watched.left == 1, "what leaves this machine is not counted"
        run("nft", "reset", "counter", "inet", table, "left")
        yield watched
    finally:
        run("nft", "delete", "table", "inet", table)


def addresses(network: IPv4Network, count: int, first: int = 1) -> Sequence[str]:
    return [str(network[number]) for number in range(first, first + count)]
