"""The lab host that is interrupted, put back as it was before each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from tests.deploy import running
from tests.deploy.sweep import digest
from tests.deploy.sweep.run import Run
from tests.lab import lab as labs
from tests.lab import snapshot
from tests.lab.fixtures import RunningLab, unused_name

_DISK = 700  # megabytes; a whole deploy writes some 180

# Another inventory for a host that was deployed: something new for each role.
_CHANGED = """\
import sys
sys.path.insert(0, {root!r})
from inventories.lab import auth_servers as _hosts

_NEW_CLIENT = {{
    "client_id": "added_later",
    "grant_types": ["client_credentials"],
    "scope": "telemetry:read",
    "token_endpoint_auth_method": "client_secret_basic",
    "client_secret_hash": "sha256:" + "0" * 64,
}}


def _changed(data):
    return data | {{
        "clients": data["clients"][:1] + [_NEW_CLIENT],
        "oauth_server": data["oauth_server"] | {{"access_token_lifetime": 300}},
        "sysctl": {{"values": {{"net.core.somaxconn": 8192, "net.ipv4.tcp_fin_timeout": 30}}}},
        "chrony": data["chrony"] | {{"servers": data["chrony"]["servers"] + ["192.0.2.1"]}},
        "redis": {{"maxmemory": "128mb"}},
        "logrotate": {{"keep": 7}},
        "fail2ban": {{"max_retry": 20}},
    }}


hosts = [(name, _changed(data)) for name, data in _hosts]
"""
# The host has an older release than the one to come: the same, but for one line.
_OLDER_RELEASE = r"""
set -eu
cd /opt/oauth-server/releases
digest=$(basename "$(readlink ../current)")
cp -a "$digest" older
echo '# older' >> older/oauth_server/__init__.py
sum=$(cd older && sha256sum ./oauth_server/__init__.py)
line=$(grep -n ' \./oauth_server/__init__\.py$' older/SHA256SUMS | cut -d: -f1)
sed -i "${line}s|.*|$sum|" older/SHA256SUMS
name=$(sha256sum < older/SHA256SUMS | cut -c1-64)
mv older "$name"
rm -r "$digest"
ln -sfn "releases/$name" ../current
systemctl restart oauth-server
"""


class Stage:
    """A host with a small disk, as it was before a first deploy or before a changed one."""

    def __init__(self, lab: RunningLab, directory: Path) -> None:
        self.lab = lab
        changed = directory / "changed.py"
        changed.write_text(_CHANGED.format(root=str(running.ROOT)))
        self._inventories = {"first": running.LAB_INVENTORY, "changed": str(changed)}
        snapshot.save(lab.name, "first")

    def set(self, run: str) -> str:
        """Have the host as it is before that run; give the run's inventory."""
        assert self.expected[run]
        snapshot.restore(self.lab.name, run)
        return self._inventories[run]

    @cached_property
    def expected(self) -> dict[str, list[str]]:
        """The state that each run ends with when nothing comes between."""
        states = {}
        for run, inventory in self._inventories.items():
            self.finish(inventory)
            states[run] = digest.of(self.lab)
            if run == "first":
                aged = self.lab.ssh("sudo sh -c '" + _OLDER_RELEASE.replace("'", "'\\''") + "'")
                assert aged.returncode == 0, aged.stderr
                snapshot.save(self.lab.name, "changed")
        return states

    def finish(self, inventory: str) -> None:
        run = Run(self.lab, inventory)
        run.must_succeed()

    def must_be_as_expected(self, run: str) -> None:
        differences = digest.differences(self.expected[run], digest.of(self.lab))
        assert not differences, "\n".join(differences)

    def secrets(self) -> dict[str, str]:
        """What is made on the host once and for ever, if it is there: name to fingerprint."""
        made = self.lab.ssh(
            "sudo sh -c 'cd /etc/oauth2 && sha256sum redis.password keys/ring/*/private.pem"
            " certs/pair-*/server.key' 2>/dev/null"
        )
        return dict(reversed(line.split()) for line in made.stdout.splitlines())  # type: ignore[misc]


@contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    name = unused_name()
    try:
        yield Stage(RunningLab(snapshot.up_on_small_disk(name, _DISK)), directory)
    finally:
        labs.down(name)
