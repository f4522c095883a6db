"""Whose the directory of logs is, by platform."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`su` is the user and group that logrotate needs where a group may write to /var/log."""

    su: str | None


# Ubuntu's /var/log is syslog's group to write to, and logrotate refuses it without a word on
# whom to be; root and adm are what Ubuntu's own logrotate.conf says.
_UBUNTU = Layout(su="root adm")
_OTHERS = Layout(su=None)

LAYOUTS = {
    Platform.DEBIAN_12: _OTHERS,
    Platform.UBUNTU_22_04: _UBUNTU,
    Platform.UBUNTU_24_04: _UBUNTU,
    Platform.EL_9: _OTHERS,
}
