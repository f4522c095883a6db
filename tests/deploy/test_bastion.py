"""A host that only a bastion can reach is deployed through it, as the production example does."""

from __future__ import annotations

import json
from pathlib import Path

from tests.deploy import running
from tests.lab.fixtures import MakeLab

_SSH_CONFIG = """\
Host *
    User deploy
    IdentityFile {directory}/id_ed25519
    UserKnownHostsFile {directory}/known_hosts
Host bastion
    HostName {bastion}
Host {name}
    HostName {address}
    ProxyJump bastion
"""
_INVENTORY = """\
import sys
sys.path.insert(0, {root!r})
from inventories.lab import auth_servers as _hosts
_way = {{"ssh_config_file": {config!r}, "ssh_hostname": {name!r}}}
hosts = [
    (name, {{k: v for k, v in data.items() if k not in ("ssh_key", "ssh_user")}} | _way)
    for name, data in _hosts if name == {name!r}
]
"""


def test_a_host_behind_a_bastion_is_planned_locked_and_knows_whom_it_talks_to(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab("debian-12", "debian-12")
    bastion, behind = lab.hosts
    # Nothing but the bastion may open a connection to the host, and the host says so itself.
    closed = lab.ssh(
        "sudo sh -c 'nft add table inet bastion && nft add chain inet bastion in"
        ' "{ type filter hook input priority 0; }" && nft add rule inet bastion in'
        f" tcp dport 22 ip saddr != {bastion.address} ct state new drop'",
        host=1,
    )
    assert closed.returncode == 0, closed.stderr
    config = tmp_path / "ssh_config"
    config.write_text(
        _SSH_CONFIG.format(
            directory=lab.directory,
            bastion=bastion.address,
            name=behind.name,
            address=behind.address,
        )
    )
    inventory = tmp_path / "inventory.py"
    inventory.write_text(
        _INVENTORY.format(root=str(running.ROOT), config=str(config), name=behind.name)
    )
    direct = lab.ssh("true", host=1, options=("-o", "ConnectTimeout=2"))
    assert direct.returncode == 255, "the host could be reached without its bastion"
    with running.planned(lab, inventory=str(inventory)):
        through = ("-o", f"ProxyJump={bastion.name}")
        held = lab.ssh("sudo test -e /run/portcullis/deploy.holder", host=1, options=through)
        assert held.returncode == 0, held.stderr
    result = running.pyinfra(lab, "--dry", "--json", inventory=str(inventory))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["plan"][0]["name"].startswith("base | ")
