"""How the lab's hosts are reached: the client's key, the known host keys, one ssh_config."""

from collections.abc import Iterable
from pathlib import Path

from tests.lab import host, places
from tests.lab.machine import run
from tests.lab.record import HostRecord, LabRecord

USER = "deploy"


def client_key(lab: str) -> Path:
    """Give the private key made for this lab, made now if there is none."""
    key = places.runtime(lab) / "id_ed25519"
    if not key.with_suffix(".pub").exists():  # ssh-keygen writes it last
        key.unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{USER}@{lab}", "-f", key)
    return key


def public_key(lab: str) -> str:
    return client_key(lab).with_suffix(".pub").read_text()


def describe(record: LabRecord, directory: Path) -> Path:
    """Write key, known_hosts and ssh_config into the directory; give the ssh_config's path."""
    places.write(directory / "id_ed25519", client_key(record.name).read_text(), 0o600)
    places.write(directory / "id_ed25519.pub", public_key(record.name), 0o644)
    known = [
        f"{known.name},{known.address} {host.host_key(record.name, known.name)}\n"
        for known in record.hosts
    ]
    places.write(directory / "known_hosts", "".join(known), 0o600)
    config = directory / "ssh_config"
    places.write(config, _config(record.hosts, directory), 0o600)
    return config


def _config(hosts: Iterable[HostRecord], directory: Path) -> str:
    blocks = [
        f"Host {known.name} {known.address}\n    HostName {known.address}\n" for known in hosts
    ]
    settings = {
        "User": USER,
        "IdentityFile": f'"{directory}/id_ed25519"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{directory}/known_hosts"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "PasswordAuthentication": "no",
        "LogLevel": "ERROR",
    }
    blocks.append("Host *\n" + "".join(f"    {key} {word}\n" for key, word in settings.items()))
    return "\n".join(blocks)
