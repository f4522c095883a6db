"""A host on which dpkg was interrupted so that it cannot go on by itself."""

from __future__ import annotations

from tests.deploy import running
from tests.lab.fixtures import MakeLab

# What a disk that was full, or a power cut, leaves of a package and of one that depends on it: the
# files are there, and dpkg's own note of how far it had come. Nothing makes dpkg stop right there.
_INTERRUPT = r"""
apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install redis-server
note() { sed -i "/^Package: $1\$/,/^\$/s/^Status: .*/Status: $2/" /var/lib/dpkg/status; }
note redis-tools "install reinstreq half-installed"
note redis-server "install ok unpacked"
! dpkg --configure -a
"""


def test_a_package_that_is_half_there_is_installed_anew(make_lab: MakeLab) -> None:
    """dpkg refuses for ever what depends on it, and apt repairs only what it is told of."""
    lab = make_lab()
    done = lab.ssh(f"sudo bash -ec {running.quoted(_INTERRUPT)}")
    assert done.returncode == 0, done.stdout + done.stderr
    running.deploy(lab)
    assert running.pending(lab) == []
    states = lab.ssh("dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n'").stdout.splitlines()
    assert [line for line in states if not line.startswith(("ii ", "rc "))] == []
