"""The lab's bridge on the machine: hosts and machine reach each other over it, and nothing else."""

from ipaddress import IPv4Network
from pathlib import Path

from tests.lab import naming, subnet
from tests.lab.machine import LabError, UnsuitableMachineError, attempt, run


def ensure(lab: str, network: IPv4Network) -> bool:
    """Have the bridge up with the machine's address on it; tell whether it had to be made."""
    bridge = naming.bridge(lab)
    made = not exists(lab)
    if made:
        if clash := [str(route) for route in subnet.routed() if route.overlaps(network)]:
            raise LabError(
                f"the lab's network {network} now clashes with this machine's route to {clash[0]}: "
                f"take the lab down and up again"
            )
        added = attempt("ip", "link", "add", "name", bridge, "type", "bridge", "stp_state", "0")
        if added.returncode != 0:
            raise UnsuitableMachineError(
                f"this machine cannot make a network bridge: {added.stderr.strip()}"
            )
    interface = Path("/proc/sys/net")
    # A lab host that gives itself a default route gets no further than this machine.
    (interface / f"ipv4/conf/{bridge}/forwarding").write_text("0")
    # Who asks for a host that is still booting asks again at once, and not after a second.
    (interface / f"ipv4/neigh/{bridge}/retrans_time_ms").write_text("50")
    ipv6 = interface / f"ipv6/conf/{bridge}/disable_ipv6"
    if ipv6.exists():
        ipv6.write_text("1")
    run("ip", "address", "replace", f"{subnet.gateway(network)}/{network.prefixlen}", "dev", bridge)
    run("ip", "link", "set", "dev", bridge, "up")
    return made


def exists(lab: str) -> bool:
    return Path("/sys/class/net", naming.bridge(lab)).exists()


def remove(lab: str) -> None:
    """Remove the bridge and any host's interface that is still attached to it."""
    detach(lab)
    if exists(lab):
        run("ip", "link", "delete", "dev", naming.bridge(lab))


def detach(lab: str) -> None:
    """Remove the interfaces of hosts that are gone or about to go."""
    for port in Path("/sys/class/net", naming.bridge(lab), "brif").glob("*"):
        # The kernel removes it too, once it is done with the host's network namespace.
        attempt("ip", "link", "delete", "dev", port.name)
