"""Everything on the machine that shows that a lab was there."""

import os
import shutil
from pathlib import Path

from tests.lab import naming, places
from tests.lab.machine import run


def of(lab: str) -> list[str]:
    """List a lab's processes, mounts, interfaces, routes, nftables rules, control groups, files."""
    words = (naming.unit_prefix(lab), naming.bridge(lab), f"vb-{lab}-", f"/{lab}/", f"/{lab}-")
    found = [*_processes(), *_mounts(), *_network(), *_groups(), *_files()]
    return [line for line in found if any(word in line for word in words)]


def mentioning(word: str) -> list[str]:
    """List processes and mounts that name something."""
    return [line for line in (*_processes(), *_mounts()) if word in line]


def _processes() -> list[str]:
    """A process is a lab's by its control groups, or by its arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "State:\tZ" in (process / "status").read_text():
                continue  # has ended; the machine's first process is about to take note
            arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            found.append(f"process {arguments} {(process / 'cgroup').read_text()}")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _mounts() -> list[str]:
    return [f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _network() -> list[str]:
    shown = run("ip", "-oneline", "address") + run("ip", "route", "show", "table", "all")
    shown += run("ip", "-oneline", "link")
    if shutil.which("nft"):  # else nobody can have made a rule
        shown += run("nft", "list", "ruleset")
    return [f"network {line}" for line in shown.splitlines()]


def _groups() -> list[str]:
    return [f"group {path}" for path, _, _ in os.walk("/sys/fs/cgroup")]


def _files() -> list[str]:
    deep = [Path("/run"), Path("/etc/systemd"), Path("/etc/network")]
    shallow = ["/var/lib", "/var/lib/machines", "/var/log", "/tmp", "/var/tmp", "/etc"]
    shallow += [str(places.RUNTIME), str(places.CHECKOUT / ".lab")]
    # os.walk passes over what another lab's end takes away meanwhile.
    paths = [
        Path(top, name)
        for root in deep
        for top, directories, files in os.walk(root)
        for name in (*directories, *files)
    ]
    paths += [path for root in shallow for path in Path(root).glob("*")]
    return [f"file {path}/" for path in paths]
