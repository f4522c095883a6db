"""What becomes an RPM, what it is called on EL 9, and where its files belong there."""

from dataclasses import dataclass, field

# Fetched beside the base system with all that they depend on, for the repositories.
DOWNLOADED = (
    "chrony",
    "fail2ban",
    "firewalld",
    "iproute2",
    "logrotate",
    "nftables",
    "nginx",
    "python3-systemd",
    "redis-server",
)
# In the base system because Debian's dnf and rpm need them, and in no minimal EL 9: they are
# taken out of it again, and come back as RPMs.
TAKEN_OUT = (
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "openssl",
    "procps",
    "python3.11",
    "python3.11-minimal",
)
# Debian's own package management, which an EL 9 does not have.
FOREIGN = (
    "adduser",
    "apt",
    "debconf",
    "debian-archive-keyring",
    "dpkg",
    "init-system-helpers",
    "libapt-pkg6.0",
    "python3",
    "python3-minimal",
    "ucf",
    "usrmerge",
)

# Where several of Debian's packages have one name here, their files come in one RPM.
EL_NAMES = {
    "fail2ban": "fail2ban-server",
    "iproute2": "iproute",
    "libc-bin": "glibc",
    "libc6": "glibc",
    "libpython3.11-minimal": "python3.11-libs",
    "libpython3.11-stdlib": "python3.11-libs",
    "login": "util-linux",
    "nginx-common": "nginx",
    "passwd": "shadow-utils",
    "polkitd": "polkit",
    "procps": "procps-ng",
    "python3.11-minimal": "python3.11",
    "redis-server": "redis",
    "redis-tools": "redis",
    "systemd-sysv": "systemd",
    "vim-tiny": "vim-minimal",
}

# Beside its name; rpm and dnf ask for these by themselves.
PROVIDED = {
    "bash": ("/bin/sh", "/usr/bin/sh"),
    "el9-layout-release": ("system-release = 9.6", "system-release(releasever) = 9"),
}

EPEL = frozenset({"fail2ban-server", "fail2ban-systemd"})
"""What only the second repository has."""

PLATFORM_PYTHON = "/usr/libexec/platform-python"
"""The base system's own interpreter, for dnf, firewalld and Fail2Ban alone (as EL 8 called it)."""

PLATFORM_PYTHON_HOME = "/usr/libexec/platform-python3.11"

_POLICY = "/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1"

# By prefix, the first that fits: where Debian's files lie here; None leaves them out.
PLACES: tuple[tuple[str, str | None], ...] = (
    ("/etc/apparmor.d/", None),
    ("/etc/cron.daily/", None),
    ("/etc/default/", None),
    ("/etc/dhcp/", None),
    ("/etc/fail2ban/jail.d/defaults-debian.conf", None),
    ("/etc/fail2ban/paths-debian.conf", None),
    ("/etc/init.d/", None),
    ("/etc/logrotate.d/redis-server", None),
    ("/etc/monit/", None),
    ("/etc/network/", None),
    ("/etc/nginx/sites-available/", None),
    ("/etc/nginx/sites-enabled/", None),
    ("/etc/nginx/snippets/", None),
    ("/etc/ppp/", None),
    ("/etc/ufw/", None),
    ("/lib/systemd/system/chrony", None),
    ("/lib/systemd/system/redis-server", None),
    ("/usr/lib/NetworkManager/", None),
    ("/usr/lib/networkd-dispatcher/", None),
    ("/usr/lib/systemd/ntp-units.d/", None),
    ("/usr/share/apport/", None),
    ("/usr/share/bug/", None),
    ("/usr/share/doc/", None),
    ("/usr/share/lintian/", None),
    ("/usr/share/locale/", None),
    ("/usr/share/man/", None),
    ("/usr/share/vim/", None),
    # Debian has its alternatives choose between these two.
    (f"{_POLICY}.desktop.policy.choice", None),
    (f"{_POLICY}.server.policy.choice", f"{_POLICY}.policy"),
    ("/bin/", "/usr/bin/"),
    ("/lib/", "/usr/lib/"),
    ("/sbin/", "/usr/sbin/"),
    ("/usr/lib/python3/", f"{PLATFORM_PYTHON_HOME}/lib/python3/"),
)

# Text that names a place of Debian's.
EDITS = {
    "/etc/fail2ban/jail.conf": ("before = paths-debian.conf", "before = paths-fedora.conf"),
}


@dataclass(frozen=True)
class Extra:
    """What an RPM has beyond Debian's files.

    `accounts` are system users by the name of their home; `modes` are owner, group and mode of
    paths, each of which a directory is made for if nothing else makes it.
    """

    requires: tuple[str, ...] = ()
    accounts: tuple[tuple[str, str], ...] = ()
    modes: dict[str, tuple[str, str, str]] = field(default_factory=dict)


EXTRAS = {
    "chrony": Extra(
        accounts=(("chrony", "/var/lib/chrony"),),
        modes={
            "/etc/chrony.keys": ("root", "chrony", "0640"),
            "/var/lib/chrony": ("chrony", "chrony", "0750"),
            "/var/log/chrony": ("chrony", "chrony", "0750"),
        },
    ),
    "el9-layout-release": Extra(modes={"/etc/sudoers.d/10-el": ("root", "root", "0440")}),
    "epel-release": Extra(),
    "fail2ban-systemd": Extra(requires=("fail2ban-server", "python3-systemd")),
    "nginx": Extra(
        requires=("logrotate",),
        accounts=(("nginx", "/var/lib/nginx"),),
        modes={
            "/etc/nginx/conf.d": ("root", "root", "0755"),
            "/var/lib/nginx": ("nginx", "root", "0770"),
            "/var/log/nginx": ("root", "root", "0711"),
        },
    ),
    "polkit": Extra(accounts=(("polkitd", "/"),)),
    "redis": Extra(
        requires=("logrotate",),
        accounts=(("redis", "/var/lib/redis"),),
        modes={
            "/etc/redis": ("redis", "root", "0750"),
            "/etc/redis/redis.conf": ("redis", "root", "0640"),
            "/var/lib/redis": ("redis", "redis", "0750"),
            "/var/log/redis": ("redis", "redis", "0750"),
            "/usr/libexec/redis-shutdown": ("root", "root", "0755"),
        },
    ),
}


def el_name(debian: str) -> str:
    """Give the name that a package of Debian's has on EL 9, which often is the same."""
    return EL_NAMES.get(debian, debian)


def place(path: str) -> str | None:
    """Give the place of a file of Debian's on EL 9, or None where EL 9 has no such file."""
    for prefix, there in PLACES:
        if path.startswith(prefix):
            return None if there is None else there + path[len(prefix) :]
    return path
