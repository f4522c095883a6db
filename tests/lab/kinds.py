"""Kinds of lab host, as data: what an image is built from."""

from dataclasses import dataclass, replace

from tests.lab.machine import UsageError


@dataclass(frozen=True)
class PlacedFile:
    """A file that the image carries beyond its packages."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Kind:
    """A system to boot: packages of one Debian suite, and files placed over them.

    `setup` are shell commands that run when the packages are there and before the files are
    placed; `$1` is the new system's root.
    """

    name: str
    suite: str
    components: tuple[str, ...]
    keyring: str
    packages: tuple[str, ...]
    files: tuple[PlacedFile, ...]
    setup: tuple[str, ...] = ()


# What every kind of host needs to be reached by the lab and by nobody else.
_REACHABLE = (
    PlacedFile(
        "etc/ssh/sshd_config.d/10-lab.conf",
        "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
    ),
    PlacedFile("etc/sudoers.d/deploy", "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n", mode=0o440),
    PlacedFile(
        "etc/resolv.conf", "# A lab host has no name service: packages come by the lab's proxy.\n"
    ),
)

# A host is to cost a few megabytes: no translated package descriptions, one journal file.
_ONE_JOURNAL = (
    PlacedFile("etc/systemd/journald.conf.d/10-lab.conf", "[Journal]\nSplitMode=none\n"),
)
_SMALL = (
    PlacedFile("etc/apt/apt.conf.d/80lab", 'Acquire::Languages "none";\n'),
    *_ONE_JOURNAL,
)

_DEBIAN_12 = Kind(
    name="debian-12",
    suite="bookworm",
    components=("main",),
    keyring="/usr/share/keyrings/debian-archive-keyring.gpg",
    # Debian's important packages and what its cloud images add, less what needs a kernel of its
    # own. The deploy brings the rest, and finds systemd-timesyncd in chrony's place.
    packages=(
        "ca-certificates",
        "dbus",
        "iproute2",
        "iputils-ping",
        "less",
        "libpam-systemd",
        "netbase",
        "nftables",
        "openssh-server",
        "procps",
        "python3",
        "sudo",
        "systemd",
        "systemd-sysv",
        "systemd-timesyncd",
        "vim-tiny",
    ),
    files=_REACHABLE + _SMALL,
)

# tests/lab/el9 turns it into EL 9's layout: what a minimal EL 9 has, and what a lab needs.
_EL9_LAYOUT = Kind(
    name="el9-layout",
    suite="bookworm",
    components=("main",),
    keyring=_DEBIAN_12.keyring,
    packages=(
        "ca-certificates",
        "dbus",
        "dnf",
        "less",
        "libpam-systemd",
        "netbase",
        "openssh-server",
        "rpm",
        "rsyslog",
        "sudo",
        "systemd",
        "systemd-sysv",
        "vim-tiny",
    ),
    files=_REACHABLE + _ONE_JOURNAL,
)

# An emulation of the layout, and called one: its packages are Debian's. What the deploy and the
# audit look at is as on Ubuntu: what the system says that it is, an active firewall that applies
# its own kernel settings at each start, a file of procps that loosens rp_filter, auth.log, and a
# /var/log that rsyslog's own account may write to.
_UBUNTU_22_04_LAYOUT = replace(
    _DEBIAN_12,
    name="ubuntu-22.04-layout",
    packages=(*_DEBIAN_12.packages, "rsyslog", "ufw"),
    files=(
        *_DEBIAN_12.files,
        PlacedFile(
            "usr/lib/os-release",
            'NAME="Layout of Ubuntu, emulated from Debian 12"\n'
            'PRETTY_NAME="Layout of Ubuntu 22.04, emulated from Debian 12"\n'
            'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n',
        ),
        PlacedFile(
            "etc/sysctl.d/10-network-security.conf",
            "net.ipv4.conf.default.rp_filter=2\nnet.ipv4.conf.all.rp_filter=2\n",
        ),
        # systemd's own var.conf would make it root's alone at each boot.
        PlacedFile("usr/lib/tmpfiles.d/00rsyslog.conf", "z /var/log 0775 root syslog -\n"),
        PlacedFile(
            "etc/rsyslog.d/05-layout.conf",
            "$FileOwner syslog\n$PrivDropToUser syslog\n$PrivDropToGroup syslog\n",
        ),
    ),
    setup=(
        'chroot "$1" useradd --system --user-group --groups adm --home-dir /nonexistent syslog',
        'chroot "$1" chown syslog:adm /var/spool/rsyslog',
        # In a network namespace of its own: ufw loads what it is told.
        "unshare --net chroot \"$1\" sh -c 'ufw allow OpenSSH && ufw --force enable' >&2",
    ),
)

KINDS = {kind.name: kind for kind in (_DEBIAN_12, _EL9_LAYOUT, _UBUNTU_22_04_LAYOUT)}
DEFAULT_KIND = _DEBIAN_12.name


def parse_hosts(hosts: str | None, kind: str | None) -> list[str] | None:
    """Read what a user wants: the kind of each host, or None for no word on it.

    `hosts` is how many, all of them of `kind`, or the kind of each: `debian-12,debian-12`.

    Raises UsageError for anything else.
    """
    if hosts is None:
        return None if kind is None else [_checked(kind)]
    if hosts.isascii() and hosts.isdigit():
        # Python reads no number of thousands of digits.
        count = int(hosts) if len(hosts) < 9 else MOST_HOSTS + 1
        return [_checked(kind or DEFAULT_KIND)] * _checked_count(count, hosts)
    if kind is not None:
        raise UsageError(
            f"the hosts {hosts!r} name each one's kind already: give the kind {kind!r} with a "
            "number of hosts, or not at all"
        )
    kinds = [_checked(each) for each in hosts.split(",")]
    _checked_count(len(kinds), str(len(kinds)))
    return kinds


def _checked_count(count: int, shown: str) -> int:
    if not 1 <= count <= MOST_HOSTS:
        raise UsageError(f"a lab has 1 to {MOST_HOSTS} hosts, not {shown:.40}")
    return count


def _checked(kind: str) -> str:
    if kind not in KINDS:
        raise UsageError(f"{kind!r} is no kind of host; there are: {', '.join(sorted(KINDS))}")
    return kind


# The network has room for 253; what a machine can boot at once is less.
MOST_HOSTS = 32
