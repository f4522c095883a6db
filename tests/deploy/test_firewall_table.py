"""Our own table beside others', on every kind of host: what it limits, what it leaves, and that it
comes back. ufw and firewalld are off before the first deploy, and nobody's rules close anything."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab import tour
from tests.lab.fixtures import MakeLab, RunningLab

DEBIAN, EL, UBUNTU = range(3)
KINDS = ("debian-12", "el9-layout", "ubuntu-22.04-layout")
each_kind = pytest.mark.parametrize("host", range(3), ids=KINDS)

_PYTHON = "/usr/bin/python3.11"
_LIMIT = 4
BANNED = "192.0.2.9"
_SET = f"{{'firewall': {{'connections_per_source': {_LIMIT}, 'new_connections_per_second': 0}}}}"

# What an operator has besides, with a set and a rule that nothing in this file meets.
_OPERATORS = """\
table inet operators {
  set some { type ipv4_addr; elements = { 192.0.2.7 } }
  chain c { type filter hook input priority 5; policy accept; ip saddr @some counter drop; }
}"""

# Opens connections from one address, and counts those that stay open.
_OPEN = """
import socket, sys, time
to, source, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
held, stay = [], 0
for _ in range(wanted):
    try:
        held.append(socket.create_connection((to, 443), 4, source_address=(source, 0)))
    except OSError:
        pass
time.sleep(0.5)
for one in held:
    one.setblocking(False)
    try:
        one.recv(1)
    except BlockingIOError:
        stay += 1
    except OSError:
        pass
print("open", stay, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> RunningLab:
    lab = make_lab(*KINDS)
    root(lab, EL, "systemctl disable -q --now firewalld")
    root(lab, UBUNTU, "ufw --force disable")
    # The one of them that has no nft before the deploy gets the operator's table later.
    for host in (DEBIAN, UBUNTU):
        root(lab, host, f"nft {running.quoted(_OPERATORS)}")
    said = running.pyinfra(lab, "-y")
    assert said.returncode == 0, said.stdout + said.stderr
    root(lab, EL, f"nft {running.quoted(_OPERATORS)}")
    return lab


def root(lab: RunningLab, host: int, script: str) -> str:
    done = lab.ssh(f"sudo sh -ec {running.quoted(script)}", host)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


def tables(lab: RunningLab, host: int) -> str:
    """With handles: a table that was made anew has another one."""
    return root(lab, host, "nft --handle list ruleset | grep ^table")


def ours(lab: RunningLab, host: int) -> str:
    return root(lab, host, "nft --stateless --terse list table inet portcullis")


def reboot(lab: RunningLab, host: int) -> None:
    def booted() -> str:
        return lab.ssh("stat --format=%Y-%i /run/systemd/system /proc/1/cmdline", host).stdout

    before = booted()
    lab.ssh("sudo systemctl reboot", host)
    deadline = time.monotonic() + 60
    while booted() in ("", before):
        assert time.monotonic() < deadline, "the host did not come back"
        time.sleep(0.2)
    assert lab.ssh("systemctl is-system-running --wait", host).stdout == "running\n"
    # The audit asks whether the clock follows a source, which takes some seconds after a boot.
    assert lab.ssh("sudo chronyc waitsync 60 0 0 1", host).returncode == 0


def test_a_second_run_loads_nothing_and_touches_nobodys_table(lab: RunningLab) -> None:
    """Byte for byte, handles included: what was made anew would have others."""
    listed = "nft --handle list table inet operators"
    before = [(tables(lab, host), root(lab, host, listed)) for host in range(3)]
    assert running.pending(lab) == []
    running.deploy(lab)
    assert [(tables(lab, host), root(lab, host, listed)) for host in range(3)] == before


def test_all_of_it_meets_the_audit(lab: RunningLab) -> None:
    assert running.hosts_that_meet_all(tour.audit(lab.name)) == 3


@each_kind
def test_only_what_is_open_is_reached(lab: RunningLab, host: int) -> None:
    """A stranger's listener is there, and nobody outside hears of it; it is not even refused."""
    root(lab, host, f"systemd-run -q --unit=stranger {_PYTHON} -m http.server 9999")
    other = (host + 1) % 3
    ask = "timeout 2 bash -c '</dev/tcp/{}/{}'"
    address = lab.hosts[host].address
    try:
        root(lab, host, f"until {ask.format('127.0.0.1', 9999)}; do sleep 0.1; done")
        reached = {
            port: lab.ssh(ask.format(address, port), other).returncode == 0
            for port in (22, 443, 8443, 9999)
        }
    finally:
        root(lab, host, "systemctl stop stranger")
    assert reached == {22: True, 443: True, 8443: True, 9999: False}


def test_what_was_off_was_switched_on_for_good(lab: RunningLab) -> None:
    assert root(lab, EL, "systemctl is-enabled firewalld; systemctl is-active firewalld") == (
        "enabled\nactive\n"
    )
    shown = root(lab, UBUNTU, "ufw status verbose")
    assert "Status: active\n" in shown
    assert "Default: deny (incoming)" in shown
    assert "chain entrance" in ours(lab, DEBIAN)
    assert "chain entrance" not in ours(lab, EL) + ours(lab, UBUNTU)


@each_kind
def test_a_table_that_somebody_deleted_or_changed_is_made_whole(lab: RunningLab, host: int) -> None:
    whole = ours(lab, host)
    for damage in (
        "nft delete table inet portcullis",
        "nft flush chain inet portcullis handshake",
    ):
        root(lab, host, damage)
        assert running.pending(lab) == ["firewall | Load our own table [NET-08]"]
        running.deploy(lab)
        assert ours(lab, host) == whole
    assert running.pending(lab) == []


class _Source:
    """A process that holds connections open until it is let go."""

    def __init__(self, lab: RunningLab, host: int) -> None:
        self._lab, self._host = lab, host

    @contextmanager
    def holding(self, to: str, source: str, wanted: int) -> Iterator[int]:
        script = f"{_PYTHON} -c {running.quoted(_OPEN)} {to} {source} {wanted}"
        name = self._lab.hosts[self._host].name
        process = subprocess.Popen(
            ["ssh", "-F", str(self._lab.ssh_config), name, script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = process.stdout.readline().split()
            assert said[:1] == ["open"], said
            yield int(said[1])
        finally:
            process.stdin.close()
            process.wait(timeout=30)
            process.stdout.close()


@pytest.fixture(scope="class")
def limited(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The lab with few connections for each source, and with IPv6: a /64 for each host."""
    inventory = running.changed_inventory(Path(tmp_path_factory.mktemp("limited")), _SET)
    done = running.pyinfra(lab, "-y", inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    for host in range(3):
        for last in (1, 9):
            root(lab, host, f"ip -6 address replace fd00:f:0:{host}::{last}/48 dev host0 nodad")
    yield lab
    running.deploy(lab)


class TestEachSource:
    @pytest.mark.parametrize("version", [4, 6])
    @each_kind
    def test_a_source_has_its_number_of_connections_and_another_its_own(
        self, limited: RunningLab, host: int, version: int
    ) -> None:
        """IPv6 counts by /64: its other addresses are the same source."""
        first, second = ((host + more) % 3 for more in (1, 2))

        def address(of: int, last: int = 1) -> str:
            return limited.hosts[of].address if version == 4 else f"fd00:f:0:{of}::{last}"

        to = address(host)
        with _Source(limited, first).holding(to, address(first), _LIMIT + 2) as opened:
            assert opened == _LIMIT
            with _Source(limited, first).holding(to, address(first, last=9), 1) as more:
                assert more == 0
            with _Source(limited, second).holding(to, address(second), _LIMIT) as others:
                assert others == _LIMIT
        # What was let go counts no more.
        time.sleep(1.5)
        with _Source(limited, first).holding(to, address(first), _LIMIT) as again:
            assert again == _LIMIT


def wait_for_ban(lab: RunningLab, host: int) -> None:
    deadline = time.monotonic() + 30
    while BANNED not in lab.ssh("sudo nft list table inet portcullis-bans", host).stdout:
        assert time.monotonic() < deadline, "the ban did not come back"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def banned(lab: RunningLab) -> None:
    for host in range(3):
        root(lab, host, f"fail2ban-client set oauth-server banip {BANNED}")
        wait_for_ban(lab, host)


@pytest.mark.usefixtures("banned")
class TestComesBack:
    """Last: what flushes all rules takes ufw's and firewalld's along."""

    @pytest.mark.parametrize(
        ("host", "reload"),
        [(EL, "firewall-cmd --reload"), (EL, "systemctl restart firewalld"),
         (UBUNTU, "ufw reload"), (UBUNTU, "systemctl restart ufw")],
    )  # fmt: skip
    def test_a_reload_of_the_hosts_own_touches_neither_it_nor_the_bans(
        self, lab: RunningLab, host: int, reload: str
    ) -> None:
        def seen() -> tuple[list[str], str]:
            named = [line for line in tables(lab, host).splitlines() if "portcullis" in line]
            return named, ours(lab, host)

        before = seen()
        root(lab, host, reload)
        assert seen() == before
        assert BANNED in root(lab, host, "nft list table inet portcullis-bans")

    @pytest.mark.parametrize("verb", ["restart", "reload"])
    @each_kind
    def test_it_follows_nftables_service_which_flushes_everything_and_so_do_the_bans(
        self, lab: RunningLab, host: int, verb: str
    ) -> None:
        before = ours(lab, host)
        flushed = "printf 'flush ruleset\\n' > /etc/nftables.conf; mkdir -p /etc/sysconfig"
        root(lab, host, flushed)
        root(lab, host, f"systemctl start nftables; systemctl {verb} nftables")
        assert "operators" not in tables(lab, host)
        assert ours(lab, host) == before
        wait_for_ban(lab, host)

    @each_kind
    def test_it_is_there_after_a_reboot_and_so_are_the_bans(
        self, lab: RunningLab, host: int
    ) -> None:
        before = ours(lab, host)
        reboot(lab, host)
        assert ours(lab, host) == before
        wait_for_ban(lab, host)

    def test_after_all_of_that_nothing_is_left_to_change(self, lab: RunningLab) -> None:
        assert running.pending(lab) == []
        assert running.hosts_that_meet_all(tour.audit(lab.name)) == 3
