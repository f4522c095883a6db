"""Names of what a lab makes: all follow from the lab's own, so that all can be found again."""

import re

from tests.lab.machine import UsageError

DEFAULT_LAB = "lab"

# An interface name has at most 15 characters, and the bridge carries the lab's name. Without
# hyphens no lab's names are a prefix of another's.
_LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,10}")


def checked(lab: str) -> str:
    """Give the name back; raise UsageError if it cannot name a lab."""
    if not _LAB_NAME.fullmatch(lab):
        raise UsageError(
            f"{lab!r} cannot name a lab: use at most 11 lower-case letters and digits, "
            "a letter first"
        )
    return lab


def bridge(lab: str) -> str:
    return f"pcl-{lab}"


def host(lab: str, number: int) -> str:
    return f"{lab}-{number}"


def unit(lab: str, service: str) -> str:
    """Give the name that the lab's services carry in systemd and among the control groups."""
    return f"{unit_prefix(lab)}{service}"


def unit_prefix(lab: str) -> str:
    return f"portcullis-lab-{lab}-"
