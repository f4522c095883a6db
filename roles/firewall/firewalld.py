"""firewalld, EL's firewall: open ports in its default zone, now and after a reboot."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.guard import guarded
from roles.questions import operation

# firewall-cmd takes a quarter of a second for each answer, busctl next to nothing. The empty zone
# is the default one (firewalld.dbus(5)).
_ASK = """\
systemctl is-active --quiet firewalld.service || exit 0
bus() {{ busctl call org.fedoraproject.FirewallD1 "$@"; }}
root=/org/fedoraproject/FirewallD1 interface=org.fedoraproject.FirewallD1
text() {{ echo "$1" | cut -d'"' -f2; }}
zone=$(bus $root $interface getDefaultZone) || exit
kept=$(bus $root/config $interface.config getZoneByName s "$(text "$zone")") || exit
kept=$(text "$kept")
for port in {ports}; do
  echo "live $port $(bus $root $interface.zone queryPort sss '' $port tcp)"
  echo "permanent $port $(bus "$kept" $interface.config.zone queryPort ss $port tcp)"
done"""


class FirewalldClosedPorts(FactBase[dict[str, list[int]]]):
    """Which of these TCP ports firewalld keeps closed, `live` and `permanent`; none if it is off.

    What clients come in by is taken to be in the default zone.
    """

    @override
    def command(self, ports: tuple[int, ...]) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_ASK.format(ports=" ".join(map(str, ports)))))

    @override
    def process(self, output: Iterable[str]) -> dict[str, list[int]]:
        closed: dict[str, list[int]] = {}
        for line in output:
            where, port, *answer = line.split()
            if answer != ["b", "true"]:
                closed.setdefault(where, []).append(int(port))
        return closed

    @staticmethod
    @override
    def default() -> dict[str, list[int]]:
        return {}


@operation()
def firewalld_ports_open(ports: tuple[int, ...]) -> Generator[StringCommand, None, None]:
    """Have TCP ports open in firewalld's default zone, live and permanently, if it runs.

    Nothing is reloaded: that would take away what others have opened until the next reload.
    """
    closed = host.get_fact(FirewalldClosedPorts, ports=ports)
    if not closed:
        host.noop("firewalld is off, or lets clients in")
    for where in sorted(closed, reverse=True):  # "permanent" first: what is seen is what will stay
        keep = ["--permanent"] if where == "permanent" else []
        opened = [f"--add-port={port}/tcp" for port in closed[where]]
        yield StringCommand("firewall-cmd", "--quiet", *keep, *opened)


class FirewalldIsEnabled(FactBase[tuple[bool, bool]]):
    """Whether firewalld runs, and whether it will after a reboot."""

    @override
    def command(self) -> str:
        return "systemctl is-active firewalld.service; systemctl is-enabled firewalld.service; true"

    @override
    def process(self, output: Iterable[str]) -> tuple[bool, bool]:
        told = list(output)
        return told[:1] == ["active"], told[1:2] == ["enabled"]

    @staticmethod
    @override
    def default() -> tuple[bool, bool]:
        return False, False


# Its own zones, as they are: what undoes a start puts them back.
_SAVE = """\
echo 'systemctl stop firewalld.service'
echo "base64 -d <<'END_OF_FILES' | tar -C /etc/firewalld --recursive-unlink -xzf -"
tar -C /etc/firewalld -czf - zones | base64
echo END_OF_FILES"""


# For systemd it has started when it has its name on the bus, before it loads a rule: a connection
# in that moment would prove nothing. It answers when it is done, and then NetworkManager tells it
# of zones.
_IN_EFFECT = "firewall-cmd -q --state; sleep 3"


@operation()
def firewalld_started(
    ports: tuple[int, ...], ssh: tuple[int, ...]
) -> Generator[StringCommand, None, None]:
    """Have firewalld run, with these TCP ports open in its default zone and sshd's before all."""
    runs, _ = host.get_fact(FirewalldIsEnabled)
    if runs:
        host.noop("firewalld runs")
        return
    opened = " ".join(f"--add-port={port}/tcp" for port in (*ssh, *ports))
    yield from guarded(
        f"start firewalld, with SSH on {', '.join(map(str, ssh))}",
        _SAVE,
        f"firewall-offline-cmd -q {opened}",
        "systemctl start firewalld.service",
        _IN_EFFECT,
    )


@operation()
def firewalld_enabled() -> Generator[StringCommand, None, None]:
    """Have it started at each boot as well."""
    _, enabled = host.get_fact(FirewalldIsEnabled)
    if enabled:
        host.noop("firewalld is enabled")
        return
    yield StringCommand("systemctl", "enable", "--quiet", "firewalld.service")
