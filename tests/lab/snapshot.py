"""A lab host's disk: kept, put back, and limited in size; and its power, cut.

A host keeps what differs from its image in its overlay: a copy of that is a copy of the host.
"""

import re
from contextlib import suppress
from pathlib import Path

from tests.lab import host, lab, naming, network, places, record, services
from tests.lab.machine import run
from tests.lab.record import LabRecord


def up_on_small_disk(name: str, megabytes: int) -> LabRecord:
    """Bring up a lab with one host, which can write no more than that; `lab.down` ends it all."""
    hosts = host.directory(name, "").resolve()
    hosts.mkdir(parents=True, mode=0o700)
    run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", name, hosts)
    return lab.up(name, None)


def save(name: str, snapshot: str) -> None:
    """Power the host off, keep its disk under that name, and boot it again."""
    running = services.of(name)
    running.stop({_host(name)})
    places.remove_tree(_kept(name, snapshot))
    _copy(_disk(name), _kept(name, snapshot))
    boot(name)


def restore(name: str, snapshot: str) -> None:
    """Boot the host with the disk that was kept; what it is now is lost."""
    cut_power(name)
    for part in ("upper", "work", "root"):
        places.remove_tree(_disk(name).with_name(part))
        if part != "upper":
            _disk(name).with_name(part).mkdir()
    _copy(_kept(name, snapshot), _disk(name))
    boot(name)


def cut_power(name: str) -> None:
    """End all of the host at once, with nothing written that was not written yet."""
    services.of(name).kill({_host(name)})
    network.detach(name)


def boot(name: str) -> None:
    """Boot the host, and return when its user can log in."""
    lab.up(name, None)


def fill_disk(name: str) -> None:
    """Leave the host not one byte; `free_disk` gives them back."""
    with host.directory(name, "fill").open("ab", buffering=0) as file:
        for block in (1 << 20, 1 << 12):  # the host writes, too: what is free can't be asked for
            with suppress(OSError):
                while file.write(bytes(block)) == block:
                    pass


def free_disk(name: str) -> None:
    host.directory(name, "fill").unlink(missing_ok=True)


def processes(name: str, file: str, pattern: str) -> list[int]:
    """The host's processes, as the machine numbers them, whose /proc/ID/`file` has a match."""
    unit = naming.unit(name, _host(name))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if f"/{unit}" not in (process / "cgroup").read_text():
                continue
            if re.search(pattern, (process / file).read_text(errors="replace"), re.MULTILINE):
                found.append(int(process.name))
    return found


def _host(name: str) -> str:
    known = record.load(name)
    assert known is not None
    return known.hosts[0].name


def _disk(name: str) -> Path:
    return host.directory(name, _host(name)) / "upper"


def _kept(name: str, snapshot: str) -> Path:
    return places.runtime(name) / "snapshots" / snapshot


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True, mode=0o700)
    run("cp", "--archive", source, target)
