"""Images: one directory tree a kind, built once by mmdebstrap and shared by all of its hosts."""

import hashlib
import json
import os
import subprocess
from collections import deque
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.lab import console, places, prerequisites, record, sources
from tests.lab.el9 import shape as el9
from tests.lab.kinds import Kind
from tests.lab.machine import WITH_US, LabError

# Runs in the new system after its packages: the lab's user, and nothing that hosts may not share.
_SETUP = (
    'chroot "$1" useradd --create-home --shell /bin/bash --comment "lab user" deploy',
    'chroot "$1" install -d -m 0700 -o deploy -g deploy /home/deploy/.ssh',
    'chroot "$1" systemctl --quiet enable systemd-networkd.service',
    'rm -f "$1"/etc/ssh/ssh_host_*',
)
# Kinds that are made of another system than theirs, and what makes them.
_LAYOUTS = {"el9-layout": el9}
# Packages get security updates: an image is built anew when it is older than this.
_FRESH = timedelta(days=30)
_STAMP = "%Y%m%d%H%M%S"


def ensure(kind: Kind) -> Path:
    """Give the kind's image, building it if there is none or only an old one.

    An image is named after what it was built from and when, and only ever appears whole.
    """
    lines = sources.apt_sources(kind)
    layout = _LAYOUTS.get(kind.name)
    made_by = [layout.HOOKS, layout.recipe()] if layout else []
    recipe = json.dumps([asdict(kind), lines, _SETUP, *made_by], sort_keys=True)
    name = f"{kind.name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with places.locked(places.IMAGES, "another process is building an image"):
        newest = max(places.IMAGES.glob(f"{name}-*"), default=None)
        if newest is not None and _age(newest) < _FRESH:
            return newest
        try:
            built = _build(kind, lines, name)
        except LabError as error:
            if newest is None:
                raise
            console.note(f"keeping the image of {_age(newest).days} days ago: {error}")
            return newest
        _forget_old()
        return built


def _forget_old() -> None:
    """Remove images that are no longer fresh, unless a lab stands on them."""
    used = {host.image for known in record.all_labs() for host in known.hosts}
    for image in places.IMAGES.glob("[!.]*"):
        if str(image) not in used and _age(image) >= _FRESH:
            places.remove_tree(image)


def _age(image: Path) -> timedelta:
    built = datetime.strptime(image.name.rpartition("-")[2], _STAMP).replace(tzinfo=timezone.utc)
    return datetime.now(timezone.utc) - built


def _build(kind: Kind, lines: list[str], name: str) -> Path:
    console.note(f"building the image of {kind.name} (once; under a minute with a near mirror)")
    unfinished = places.IMAGES / f".{name}"
    places.remove_tree(unfinished)
    layout = _LAYOUTS.get(kind.name)
    if layout:
        prerequisites.have(layout.PROGRAMS)
    _mmdebstrap(kind, lines, unfinished)
    if layout:
        console.note("turning it into another system's layout")
        layout.shape(unfinished)
    for file in kind.files:
        target = unfinished / file.path
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        places.write(target, file.text, file.mode)
    image = places.IMAGES / f"{name}-{datetime.now(timezone.utc).strftime(_STAMP)}"
    unfinished.rename(image)
    return image


def _mmdebstrap(kind: Kind, lines: list[str], target: Path) -> None:
    layout = _LAYOUTS.get(kind.name)
    hooks = (*_SETUP, *kind.setup, *(layout.HOOKS if layout else ()))
    argv = [
        *WITH_US,
        # A namespace of its own for each kind of thing that a build cut off would leave behind.
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *("sh", "-c", 'mount -t tmpfs scratch /tmp && exec "$@"', "sh"),
        *("mmdebstrap", "--mode=root", "--variant=minbase"),
        f"--components={','.join(kind.components)}",
        f"--include={','.join(kind.packages)}",
        # The hosts' first `apt-get update` then fetches only what changed since.
        "--skip=cleanup/apt/lists",
        *(f"--customize-hook={command}" for command in hooks),
        *(kind.suite, str(target), *lines),
    ]
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_environment(),
    ) as build:
        said = _relay(build)
    if build.returncode != 0:
        reasons = [line for line in said if line.startswith(("E:", "W:", "Err:"))] or list(said)
        raise LabError(f"the image of {kind.name} cannot be built: {'; '.join(reasons[-3:])}")


def _relay(build: "subprocess.Popen[str]") -> deque[str]:
    """Show mmdebstrap's steps as they come, and give its last lines for an error message."""
    said: deque[str] = deque(maxlen=20)
    for line in build.stderr or ():
        said.append(line.strip())
        step = line.removeprefix("I: ").strip()
        if step != line.strip() and not step.startswith("running --customize-hook"):
            console.note(step)
    return said


def _environment() -> dict[str, str]:
    """mmdebstrap reads none of the machine's apt settings: it gets the proxies from here."""
    proxies = {f"{scheme}_proxy": proxy for scheme, proxy in sources.apt_proxies().items()}
    return {**os.environ, **proxies, "LC_ALL": "C.UTF-8"}
