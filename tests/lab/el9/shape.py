"""A fresh Debian system, turned into EL 9's layout in its own directory."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab.el9 import debian, rpms
from tests.lab.el9.packages import (
    DOWNLOADED,
    FOREIGN,
    PLATFORM_PYTHON,
    PLATFORM_PYTHON_HOME,
    PROVIDED,
    TAKEN_OUT,
    el_name,
)
from tests.lab.el9.spec import Rpm
from tests.lab.machine import WITH_US, run

_SOURCES = "rpm-source"

# Run by mmdebstrap with the new system's own package lists and keys.
HOOKS = (
    f'mkdir -p "$1"/{_SOURCES}/partial',
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes --quiet --download-only --reinstall '
    f'--no-install-recommends -o Dir::Cache::Archives="$1"/{_SOURCES}/ install '
    + " ".join((*DOWNLOADED, *TAKEN_OUT)),
)

PROGRAMS = {"rpmbuild": "rpm", "createrepo_c": "createrepo-c", "dpkg-deb": "dpkg"}
"""What the machine needs to build RPMs, and the package that brings it."""


def recipe() -> str:
    """Give a digest of all that shapes the system beside mmdebstrap."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(path for path in package.rglob("*") if path.is_file()):
        if file.suffix != ".pyc":
            digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def shape(root: Path) -> None:
    """Turn the system at `root` into the layout. Raises LabError."""
    status = list(debian.stanzas((root / "var/lib/dpkg/status").read_text()))
    base = [stanza for stanza in status if stanza.name not in {*TAKEN_OUT, *FOREIGN}]
    scratch = root / ".el9"
    scratch.mkdir()
    _give_python_away(root)
    for name in (*TAKEN_OUT, *FOREIGN):
        _take_out(root, name)
    _rename_sshd(root)
    # EL's sh is bash, and its scripts may rely on that.
    (root / "usr/bin/sh").unlink()
    (root / "usr/bin/sh").symlink_to("bash")
    rpms.repositories(
        root / _SOURCES, {el_name(stanza.name) for stanza in base}, root, scratch / "repositories"
    )
    _record(root, base, scratch)
    _install(root)
    for path in (".el9", _SOURCES, "var/lib/dpkg", "var/lib/apt", "var/cache/apt", "etc/apt"):
        shutil.rmtree(root / path)
    for path in ("etc/dpkg", "var/cache/dnf", "var/cache/debconf", "var/log/apt"):
        shutil.rmtree(root / path, ignore_errors=True)


def _give_python_away(root: Path) -> None:
    """Leave Debian's Python to dnf and its like, in a place where nobody takes it for EL's."""
    home = root / PLATFORM_PYTHON_HOME[1:]
    (home / "bin").mkdir(parents=True)
    (root / "usr/bin/python3.11").rename(home / "bin/python3.11")
    (home / "lib").mkdir()
    for library in ("python3", "python3.11"):
        (root / "usr/lib" / library).rename(home / "lib" / library)
    (home / "lib/python3.11/sitecustomize.py").unlink()
    relative = Path(PLATFORM_PYTHON_HOME).name
    (root / PLATFORM_PYTHON[1:]).symlink_to(f"{relative}/bin/python3.11")
    for script in (root / "usr/bin").iterdir():
        rpms.with_platform_python(script)


def _take_out(root: Path, package: str) -> None:
    """Remove a package's files, by dpkg's own list of them."""
    for listing in (root / "var/lib/dpkg/info").glob(f"{package}[.:]*"):
        if listing.suffix != ".list" or listing.name.split(":")[0].removesuffix(".list") != package:
            continue
        for line in listing.read_text().splitlines():
            path = root / line[1:]
            # /lib and its like stand in the lists as directories, and are links.
            if not path.is_dir():
                path.unlink(missing_ok=True)


def _rename_sshd(root: Path) -> None:
    units = root / "usr/lib/systemd/system"
    text = (units / "ssh.service").read_text()
    text = text.replace("Alias=sshd.service\n", "")
    (units / "sshd.service").write_text(text.replace("/etc/default/ssh", "/etc/sysconfig/sshd"))
    enabled = root / "etc/systemd/system"
    (enabled / "sshd.service").unlink()
    for old in (*enabled.glob("*.wants/ssh.*"), *units.glob("ssh[.@]*")):
        old.unlink()
    _inside(root, "systemctl", "--quiet", "enable", "sshd.service")


def _record(root: Path, base: Iterable[debian.Stanza], scratch: Path) -> None:
    """Have rpm know the base system's packages by name, without owning their files."""
    versions = {el_name(stanza.name): debian.upstream(stanza.version) for stanza in base}
    records = [
        Rpm(name, version, provides=PROVIDED.get(name, ()))
        for name, version in sorted(versions.items())
    ]
    work = scratch / "base"
    work.mkdir()
    built = rpms.build("base", work / "tree", records, work)
    files = [f"/{file.relative_to(root)}" for file in built]
    _inside(root, "rpm", "--install", "--justdb", "--nodeps", "--nosignature", *files)


def _install(root: Path) -> None:
    """Install what every host of the kind has, from the repositories, with rpm and dnf."""
    (release,) = (root / "usr/share/el9-layout/base").glob("el9-layout-release-*.rpm")
    for path in ("etc/rsyslog.conf", "etc/logrotate.d/rsyslog"):
        (root / path).unlink()
    _inside(root, "rpm", "--install", "--nosignature", f"/{release.relative_to(root)}")
    _inside(root, "dnf", "--assumeyes", "--quiet", "install", "firewalld")
    _inside(root, "systemctl", "--quiet", "enable", "firewalld.service")


def _inside(root: Path, *argv: str) -> None:
    """Run a program in the new system, with mounts of its own that end with it."""
    script = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    run(*WITH_US, *unshare, "env", "LC_ALL=C.UTF-8", "sh", "-c", script, root, *argv)
