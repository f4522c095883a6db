"""One host: an overlay on its kind's image, booted by systemd-nspawn."""

import os
import secrets
import shlex
import time
from pathlib import Path

from tests.lab import naming, places, proxy, subnet
from tests.lab.kinds import MOST_HOSTS
from tests.lab.machine import WITH_US, LabError, attempt, run
from tests.lab.record import HostRecord, LabRecord
from tests.lab.services import Services

_BOOT_TIMEOUT = 90.0
_NSPAWN = Path("/run/systemd/nspawn")


def directory(lab: str, host: str) -> Path:
    return places.runtime(lab) / "hosts" / host


def host_key(lab: str, host: str) -> str:
    """Give the public key that the host's sshd shows."""
    return (directory(lab, host) / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()


def create(record: LabRecord, host: HostRecord, authorized_key: str) -> None:
    """Make the host's overlay; a host that has one keeps it."""
    finished = directory(record.name, host.name)
    if finished.exists():
        return
    unfinished = finished.with_name(f".{host.name}")
    places.remove_tree(unfinished)
    for part in ("upper", "work", "root"):
        (unfinished / part).mkdir(parents=True)
    overlay = _Overlay(unfinished / "upper", Path(host.image))
    overlay.write("etc/hostname", f"{host.name}\n")
    overlay.write("etc/hosts", _hosts_file(record))
    overlay.write("etc/machine-id", f"{secrets.token_hex(16)}\n", mode=0o444)
    overlay.write("etc/systemd/network/10-lab.network", _network_file(record, host))
    if (Path(host.image) / "etc/apt").is_dir():
        overlay.write("etc/apt/apt.conf.d/90lab", _apt_file(record))
    overlay.write("home/deploy/.ssh/authorized_keys", authorized_key, mode=0o600)
    key = overlay.reserve("etc/ssh/ssh_host_ed25519_key")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{host.name}", "-f", key)
    unfinished.rename(finished)


def start(record: LabRecord, host: HostRecord, services: Services) -> None:
    """Boot the host, without waiting for it.

    The overlay is mounted in a mount namespace of the host's own: it goes with the last process
    there, and the machine's own table of mounts never shows it.
    """
    place = directory(record.name, host.name)
    options = ",".join(
        (f"lowerdir={host.image}", f"upperdir={place}/upper", f"workdir={place}/work")
    )
    nspawn = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no"),
        *(f"--machine={host.name}", f"--directory={place}/root"),
        f"--network-bridge={naming.bridge(record.name)}",
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=passive"),
    ]
    mount = ["mount", "-t", "overlay", "-o", options, record.name, f"{place}/root"]
    lock = ["stat", "--format=inode-%d:%i", f"{place}/root"]
    script = (
        f"{shlex.join(mount)} && {shlex.join(lock)} > {place}/lock && exec {shlex.join(nspawn)}"
    )
    argv = ["unshare", "--mount", "--propagation", "slave", "--", "sh", "-c", script]
    services.start(host.name, argv, place / "console.log")


def remove_leftovers(record: LabRecord, host: HostRecord) -> None:
    """Remove what systemd-nspawn leaves under /run when it is killed instead of stopped."""
    for made in ("propagate", "unix-export"):
        if (place := _NSPAWN / made / host.name).is_dir():
            place.rmdir()
    lock = directory(record.name, host.name) / "lock"
    if lock.exists() and (name := lock.read_text().strip()):
        (_NSPAWN / "locks" / name).unlink(missing_ok=True)


def wait_until_ready(record: LabRecord, host: HostRecord, services: Services) -> None:
    """Return when the host has booted, its user can log in and packages can be fetched.

    Raises LabError with the console's end if that takes too long or the host is gone.
    """
    deadline = time.monotonic() + _BOOT_TIMEOUT
    config = places.described(Path(record.checkout), record.name) / "ssh_config"
    gateway = subnet.gateway(record.subnet)
    script = (
        "systemctl is-system-running --wait; "
        f"timeout 5 bash -c '</dev/tcp/{gateway}/{proxy.PORT}' 2>/dev/null && echo reached"
    )
    while True:
        login = attempt(*WITH_US, "ssh", "-F", config, "-oConnectTimeout=2", host.name, script)
        state, *reached = login.stdout.split() or [""]
        if state in ("running", "degraded"):
            break
        if host.name not in services.running() or time.monotonic() > deadline:
            log = directory(record.name, host.name) / "console.log"
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise LabError(
                f"{host.name} is not ready ({login.stderr.strip() or state}); "
                f"its console, {log}, ends with: {' / '.join(said)}"
            )
        time.sleep(0.1)
    if not reached:
        raise LabError(
            f"{host.name} cannot reach the lab's package proxy at {gateway}:{proxy.PORT}: either "
            f"it died (see {places.runtime(record.name)}/proxy.log), or this machine's firewall "
            f"drops what comes in on {naming.bridge(record.name)}"
        )


class _Overlay:
    """The upper layer of a host that has not been booted yet."""

    def __init__(self, upper: Path, lower: Path) -> None:
        self._upper, self._lower = upper, lower

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Place a file; it belongs to whom the image's directory belongs to."""
        target = self.reserve(path)
        places.write(target, text, mode)
        parent = target.parent.stat()
        os.chown(target, parent.st_uid, parent.st_gid)

    def reserve(self, path: str) -> Path:
        """Make the directories above a path as the image has them, and give the path."""
        target = self._upper / path
        for inner in reversed(target.relative_to(self._upper).parents):
            made, like = self._upper / inner, (self._lower / inner).stat()
            made.mkdir(exist_ok=True)
            made.chmod(like.st_mode & 0o7777)
            os.chown(made, like.st_uid, like.st_gid)
        return target


def _hosts_file(record: LabRecord) -> str:
    """Name every host that the lab may ever have, so that adding one changes no other."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for number in range(1, MOST_HOSTS + 1):
        address = subnet.address(record.subnet, number)
        lines.append(f"{address} {naming.host(record.name, number)}")
    return "\n".join(lines) + "\n"


def _network_file(record: LabRecord, host: HostRecord) -> str:
    # No gateway: a lab host has no route out of its lab.
    address = f"{host.address}/{record.subnet.prefixlen}"
    return f"[Match]\nName=host0\n\n[Network]\nAddress={address}\nIPv6AcceptRA=no\n"


def _apt_file(record: LabRecord) -> str:
    url = f"http://{subnet.gateway(record.subnet)}:{proxy.PORT}"
    return "".join(f'Acquire::{scheme}::Proxy "{url}";\n' for scheme in ("http", "https"))
