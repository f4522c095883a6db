"""What systemd-nspawn leaves under /run when it is killed instead of stopped."""

from pathlib import Path

_NSPAWN = Path("/run/systemd/nspawn")


def remove(host: str) -> None:
    for directory in (_NSPAWN / "propagate", _NSPAWN / "unix-export"):
        place = directory / host
        if place.is_dir():
            place.rmdir()
