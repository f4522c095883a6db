"""What a machine must have to hold lab hosts; a package that is missing is installed."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.lab import console, places
from tests.lab.machine import UnsuitableMachineError, attempt, run

_WITHOUT_LAB = (
    "Without a lab, `make test` still runs the unit and server tests, and "
    "`PYTHONPATH=app .venv/bin/python -m oauth_server serve --dev` runs the server here."
)
_NO_ROOT = "a lab needs root, and this is an ordinary user"
_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def missing() -> str | None:
    """Say in one sentence what keeps this machine from holding lab hosts, or None."""
    if os.geteuid() != 0:
        return _NO_ROOT
    if absent := _absent_packages():
        if shutil.which("apt-get") is None:
            return (
                f"a lab needs Debian's packages {', '.join(absent)}, and there is no apt-get here"
            )
        return None
    return _kernel_lacks()


def provide() -> None:
    """Install what is missing; raise UnsuitableMachineError where that is not possible."""
    _refuse_if(missing())
    if _absent_packages():
        # Labs that come up at once would meet at apt's locks, for which it does not wait.
        with places.locked(places.CACHE, "another lab is installing what both need"):
            _install(_absent_packages())
        _refuse_if(_kernel_lacks())


def have(programs: Mapping[str, str]) -> None:
    """Install what only some kinds of host need: each program with the package that brings it."""
    with places.locked(places.CACHE, "another lab is installing what both need"):
        _install(sorted({programs[name] for name in programs if shutil.which(name) is None}))


def _install(absent: list[str]) -> None:
    if not absent:
        return
    console.note(f"installing {' '.join(absent)}, which the lab needs")
    install = ("apt-get", "install", "--yes", "--no-install-recommends", *absent)
    if attempt(*install).returncode != 0:
        run("apt-get", "update")
        run("env", "DEBIAN_FRONTEND=noninteractive", *install)


def require_root() -> None:
    """Raise UnsuitableMachineError for an ordinary user, who can't even look at a lab."""
    _refuse_if(_NO_ROOT if os.geteuid() != 0 else None)


def _refuse_if(reason: str | None) -> None:
    if reason is not None:
        raise UnsuitableMachineError(f"{reason}. {_WITHOUT_LAB}")


def _absent_packages() -> list[str]:
    absent = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if not _KEYRING.exists():
        absent.add("debian-archive-keyring")
    return sorted(absent)


def _kernel_lacks() -> str | None:
    """Try what hosts are made of in namespaces of their own, which leave nothing behind."""
    probes = {
        "namespaces": "true",
        "network bridges": "ip link add name probe type bridge",
        "overlay mounts": "mount -t tmpfs probe /mnt && cd /mnt && mkdir lower upper work root "
        "&& mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work probe root",
    }
    for what, script in probes.items():
        tried = attempt("unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", script)
        if tried.returncode != 0:
            reason = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"a lab needs {what}, which this machine does not allow ({reason})"
    return None


def check_directory(directory: Path) -> None:
    """Raise UnsuitableMachineError unless the directory's file system can carry an overlay."""
    probe = directory / ".probe"
    script = (
        'mkdir -p "$0"/l "$0"/u "$0"/w "$0"/m && '
        'mount -t overlay -o "lowerdir=$0/l,upperdir=$0/u,workdir=$0/w" probe "$0"/m'
    )
    tried = attempt("unshare", "--mount", "sh", "-c", script, probe)
    shutil.rmtree(probe, ignore_errors=True)
    if tried.returncode != 0:
        raise UnsuitableMachineError(
            f"the file system of {directory} cannot carry an overlay: {tried.stderr.strip()}. "
            + _WITHOUT_LAB
        )
