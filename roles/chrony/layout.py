"""Where chrony's files are and what its unit is called, by platform."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`options` is the variable of the file `defaults` that the unit starts chronyd with.

    `confinement` is the system call filter that the distribution starts it with (chronyd(8), -F).
    """

    service: str
    config: str
    driftfile: str
    defaults: str
    options: str
    confinement: str
    account: str


_DEBIAN = Layout(
    service="chrony.service",
    config="/etc/chrony/chrony.conf",
    driftfile="/var/lib/chrony/chrony.drift",
    defaults="/etc/default/chrony",
    options="DAEMON_OPTS",
    confinement="-F 1",
    account="_chrony",
)

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(
        service="chronyd.service",
        config="/etc/chrony.conf",
        driftfile="/var/lib/chrony/drift",
        defaults="/etc/sysconfig/chronyd",
        options="OPTIONS",
        confinement="-F 2",
        account="chrony",
    ),
}
