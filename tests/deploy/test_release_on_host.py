"""Only a whole release is ever one, and only an unaltered one becomes current."""

from __future__ import annotations

import re

import pytest

from roles.oauth_server.operations import SWITCH, UNPACK, script
from tests.deploy import running
from tests.lab.fixtures import RunningLab

RELEASES = "/opt/oauth-server/releases"


@pytest.fixture
def current(deployed: RunningLab) -> str:
    return deployed.ssh("readlink /opt/oauth-server/current").stdout.strip().rpartition("/")[2]


def test_current_is_named_after_its_manifest(deployed: RunningLab, current: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", current)
    manifest = deployed.ssh(f"sha256sum {RELEASES}/{current}/SHA256SUMS").stdout.split()[0]
    assert manifest == current


@pytest.mark.parametrize("kept", [0, 1, 5000, 1_000_000])
def test_an_upload_that_was_cut_off_never_becomes_a_release(
    deployed: RunningLab, current: str, kept: int
) -> None:
    """The archive of the current release under another name, cut after some bytes."""
    digest = current[::-1]
    upload = f"{RELEASES}/.upload-{digest}.tar.gz"
    pack = f"sudo tar -czf - -C {RELEASES}/{current} . | head -c {kept} | sudo tee {upload}"
    deployed.ssh(f"{pack} >/dev/null")
    said = deployed.ssh(_run(UNPACK, DIGEST=digest, UPLOAD=upload, PYTHON="/usr/bin/python3.11"))
    assert said.returncode != 0
    assert _names(deployed) == [current]


def test_a_whole_archive_under_a_wrong_name_is_no_release(
    deployed: RunningLab, current: str
) -> None:
    digest = current[::-1]
    upload = f"{RELEASES}/.upload-{digest}.tar.gz"
    deployed.ssh(f"sudo tar -czf {upload} -C {RELEASES}/{current} .")
    said = deployed.ssh(_run(UNPACK, DIGEST=digest, UPLOAD=upload, PYTHON="/usr/bin/python3.11"))
    assert said.returncode != 0
    assert f"the upload is not the release {digest}" in said.stderr
    assert _names(deployed) == [current]


def test_a_release_that_was_altered_is_not_switched_to(deployed: RunningLab, current: str) -> None:
    main = f"{RELEASES}/{current}/__main__.py"
    deployed.ssh(f"sudo cp -a {main} /run/main.py && echo '#' | sudo tee -a {main}")
    try:
        said = deployed.ssh(_run(SWITCH, DIGEST=current))
    finally:
        deployed.ssh(f"sudo cp -a /run/main.py {main}; sudo rm /run/main.py")
    assert said.returncode != 0
    assert f"the release {current} was altered on this host" in said.stderr
    assert deployed.ssh(_run(SWITCH, DIGEST=current)).returncode == 0


def test_a_damaged_release_is_mended_by_the_next_deploy(deployed: RunningLab, current: str) -> None:
    tree = f"{RELEASES}/{current}"
    pid = "systemctl show --property=MainPID oauth-server.service"
    before = deployed.ssh(pid).stdout
    deployed.ssh(f"sudo rm {tree}/oauth_server/log.py; echo '#' | sudo tee -a {tree}/__main__.py")
    running.deploy(deployed)
    whole = deployed.ssh(f"cd {tree} && sha256sum --check --quiet --strict SHA256SUMS")
    assert (whole.returncode, whole.stdout) == (0, "")
    assert deployed.ssh(pid).stdout != before
    assert _names(deployed) == [current]


def test_old_releases_are_kept_to_the_inventorys_number(deployed: RunningLab, current: str) -> None:
    """Three by default, the last used; the current one is beside them."""
    names = [f"{number:064x}" for number in range(5)]
    for age, name in enumerate(names):
        deployed.ssh(f"sudo mkdir {RELEASES}/{name}; sudo touch -d '-{age} days' {RELEASES}/{name}")
    running.deploy(deployed)
    try:
        assert _names(deployed) == sorted([*names[:3], current])
    finally:
        deployed.ssh(f"sudo rm -rf {' '.join(f'{RELEASES}/{name}' for name in names)}")


def _names(lab: RunningLab) -> list[str]:
    """What stands in the directory, whole or half made."""
    return sorted(lab.ssh(f"ls -A {RELEASES}").stdout.split())


def _run(template: str, **variables: str) -> str:
    return "sudo sh -c '" + script(template, **variables).replace("'", "'\\''") + "'"
