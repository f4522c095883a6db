"""How the tests run a deploy, and what they compare afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.fixtures import RunningLab

ROOT = Path(__file__).resolve().parents[2]
LAB_INVENTORY = "inventories/lab.py"

# Everything that a deploy may touch, on every kind of host: a place or a unit that one lacks counts
# as nothing. Times are part of it: a file that was written anew with the same content is a change
# as well.
_STATE = r"""
set -- /etc/oauth2 /etc/nginx /etc/chrony /etc/chrony.conf /etc/default /etc/sysconfig /etc/redis \
  /etc/fail2ban /etc/firewalld /etc/portcullis /etc/ufw /etc/yum.repos.d /etc/sysctl.d \
  /etc/systemd/system /etc/logrotate.d /usr/local/bin /var/lib/portcullis
find "$@" /opt/oauth-server -printf '%p %y %m %u %g %l %T@\n' 2>/dev/null | sort
find "$@" -type f -exec sha256sum {} + 2>/dev/null | sort
stat -c '%n %a %U %G' /var/log/oauth_server.log
getent passwd oauth_user; getent group oauth_group
if command -v dpkg-query > /dev/null; then dpkg-query -W; else rpm -qa | sort; fi
if command -v firewall-cmd > /dev/null; then firewall-cmd --list-all-zones; fi
nft --handle list ruleset | grep ^table
sysctl net.ipv4.tcp_syncookies net.core.somaxconn net.ipv4.conf.all.rp_filter
systemctl show --property=Id,ActiveState,UnitFileState,MainPID,NRestarts,ActiveEnterTimestamp \
  oauth-server.service oauth-server.socket nginx redis-server redis chrony chronyd fail2ban \
  firewalld ufw portcullis-firewall logrotate.timer oauth-key-rotate.timer oauth-clock
"""

_CHANGED = """\
import sys
sys.path.insert(0, {root!r})
from inventories.lab import auth_servers as _known
_hosts = _known[0] if isinstance(_known, tuple) else _known
_common = _known[1] if isinstance(_known, tuple) else {{}}
hosts = [(name, {{**_common, **data, **{changes}}}) for name, data in _hosts]
"""


def command(*arguments: str, inventory: str = LAB_INVENTORY) -> list[str]:
    return [sys.executable, "-m", "pyinfra", *arguments, inventory, "deploy.py"]


def environment(lab: RunningLab, **more: str) -> dict[str, str]:
    return {**os.environ, "PORTCULLIS_LAB_JSON": str(lab.lab_json), **more}


def pyinfra(
    lab: RunningLab, *arguments: str, inventory: str = LAB_INVENTORY, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, inventory=inventory),
        cwd=ROOT,
        env=environment(lab, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def deploy(lab: RunningLab, *arguments: str) -> None:
    result = pyinfra(lab, "-y", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def changed_inventory(directory: Path, changes: str) -> str:
    """An inventory in `directory`: the lab's, with the dict that `changes` evaluates to over it.

    `changes` is Python in which `name` is the host's.
    """
    path = directory / "inventory.py"
    path.write_text(_CHANGED.format(root=str(ROOT), changes=changes))
    return str(path)


def pending(lab: RunningLab, inventory: str = LAB_INVENTORY, **variables: str) -> list[str]:
    """The names of the operations that a deploy would now change something with."""
    result = pyinfra(lab, "--dry", "--json", inventory=inventory, **variables)
    assert result.returncode == 0, result.stderr
    plan: list[dict[str, Any]] = json.loads(result.stdout)["plan"]
    assert plan, "a plan without operations proves nothing"
    return [
        operation["name"]
        for operation in plan
        if operation["hosts_with_change"] or operation["hosts_with_conditional_change"]
    ]


@contextmanager
def planned(
    lab: RunningLab, *arguments: str, inventory: str = LAB_INVENTORY
) -> Iterator[subprocess.Popen[str]]:
    """A run that holds its locks, waits for its operator to press enter, and is not let go on."""
    process = subprocess.Popen(
        command(*arguments, inventory=inventory),
        cwd=ROOT,
        env=environment(lab),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "skip this step with -y" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield process
    finally:
        process.kill()
        process.communicate()


def state(lab: RunningLab, host: int = 0) -> list[str]:
    """A host's state, line by line: files with times and content, accounts, units, packages."""
    result = lab.ssh(f"sudo sh -c {quoted(_STATE)}", host)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def hosts_that_meet_all(report: str) -> int:
    """Count in an audit's report the hosts of which every control was checked and is met."""
    verdicts = re.findall(r"(\d+) of (\d+) controls met", report)
    return sum(met == known != "0" for met, known in verdicts)


def quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"
