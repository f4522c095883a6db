"""The same end state by ansible-core with pipelining: its second run against ours.

The playbook has the operations of the deploy that ansible's own modules can do, all but the
certificate, the keys, Redis' credentials and the release; ours is the whole deploy with them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks import deploys
from benchmarks.sites import RIVALS, ROOT
from tests.lab.fixtures import RunningLab

_RIVAL = RIVALS / "ansible"
_PLAYBOOK = _RIVAL / "playbook.yml"

_NEEDED = "sh -c 'apt-get -q update && apt-get -qy --no-install-recommends install python3-apt'"
_BREAK = r"""
systemctl disable --quiet --now fail2ban.service logrotate.timer
rm /etc/chrony/chrony.conf /etc/systemd/system/redis-server.service.d/portcullis.conf
rm -r /etc/systemd/system/chrony.service.d
echo >> /etc/nginx/nginx.conf
echo >> /etc/fail2ban/jail.d/oauth-server.conf
chmod 0777 /etc/oauth2 /opt/oauth-server /var/log/oauth_server.log
chown daemon:daemon /etc/oauth2/server.yaml /etc/logrotate.d/oauth-server
sysctl --quiet -w net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.default.accept_redirects=1
"""


def against(directory: Path, *, rounds: int) -> dict[str, float]:
    """Second runs in turns on one host, after each has mended the same damage to the same state."""
    environment = _environment(directory)
    with deploys.lab() as on:
        # ansible's apt would bring it: what both start from has it.
        done = on.ssh(f"sudo {_NEEDED}")
        assert done.returncode == 0, done.stderr
        deploys.deploy(on, directory)
        _fetch(on, directory / "content")
        whole = _state(on)

        def ours() -> float:
            return deploys.deploy(on, directory).seconds

        def theirs() -> float:
            return _play(on, environment, directory / "content")

        for mend in (ours, theirs):
            done = on.ssh(f"sudo sh -ec '{_BREAK}'")
            assert done.returncode == 0, done.stderr
            assert _state(on) != whole
            mend()
            found = _state(on)
            assert found == whole, f"{mend.__name__}: {set(found) ^ set(whole)}"
        times = [(ours(), theirs()) for _ in range(rounds)]
        assert _state(on) == whole
    return {
        "operations in the playbook": _operations(),
        "ansible, second run, s": median(theirs for _, theirs in times),
        "ours, second run, s": median(ours for ours, _ in times),
        "ours / ansible": median(ours / theirs for ours, theirs in times),
    }


def _environment(directory: Path) -> Path:
    environment = directory / "ansible"
    uv = str(ROOT / ".uv" / "bin" / "uv")
    subprocess.run([uv, "venv", "--quiet", "-p", sys.executable, environment], check=True)
    command = [uv, "pip", "sync", "--quiet", "--python", str(environment / "bin" / "python")]
    lock = str(_RIVAL / "requirements.lock")
    subprocess.run([*command, "--require-hashes", "--compile-bytecode", lock], check=True)
    return environment


def _play(on: RunningLab, environment: Path, content: Path) -> float:
    command = [
        *(str(environment / "bin" / "ansible-playbook"), "--inventory", f"{on.hosts[0].name},"),
        *("--ssh-common-args", f"-F {on.ssh_config}", "--extra-vars", f"content={content}"),
    ]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, str(_PLAYBOOK)],
        env={**deploys.environment(on), "ANSIBLE_CONFIG": str(_RIVAL / "ansible.cfg"),
             "ANSIBLE_HOME": str(environment / "home"), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stdout
    return seconds


def _tasks() -> list[dict[str, Any]]:
    (play,) = yaml.safe_load(_PLAYBOOK.read_text())
    tasks: list[dict[str, Any]] = play["tasks"]
    return tasks


def _operations() -> int:
    return sum(len(task.get("loop", [task])) for task in _tasks())


def _managed() -> list[str]:
    """Every path that the playbook names."""
    text = _PLAYBOOK.read_text()
    return sorted(set(re.findall(r"(?:dest|path): (/[^\s,}]+)", text)))


def _fetch(on: RunningLab, content: Path) -> None:
    files = " ".join(re.findall(r"dest: (\S+)", _PLAYBOOK.read_text()))
    content.mkdir()
    argv = ["ssh", "-F", str(on.ssh_config), on.hosts[0].name, f"sudo tar -cf - {files}"]
    packed = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    subprocess.run(["tar", "-xf", "-", "-C", str(content)], input=packed.stdout, check=True)


def _state(on: RunningLab) -> list[str]:
    """What both promise, line by line: files, accounts, packages, units and kernel settings."""
    paths = " ".join(_managed())
    units = " ".join(
        sorted(set(re.findall(r"name: (\S+\.(?:service|socket|timer))", _PLAYBOOK.read_text())))
    )
    done = on.ssh(
        f"sudo sh -c \"stat -c '%n %F %U:%G %a' {paths} | sed 's/regular empty/regular/'; "
        f"sha256sum {paths} 2>/dev/null | grep -v ' /var/log/'; "
        "getent passwd oauth_user; getent group oauth_group; dpkg-query -W; "
        f"systemctl show --property=Id,ActiveState,UnitFileState {units}; "
        'sysctl net.ipv4.conf.all.accept_redirects net.ipv4.conf.default.accept_redirects"'
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
