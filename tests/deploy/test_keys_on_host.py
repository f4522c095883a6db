"""The signing key is made on its host, once, and is never readable by another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.deploy import running
from tests.lab.fixtures import RunningLab

KEYS = "/etc/oauth2/keys"


def test_the_pair_is_rsa_4096_and_only_the_servers(deployed: RunningLab) -> None:
    listing = deployed.ssh(
        f"sudo stat -L -c '%U %a %n' {KEYS} {KEYS}/private_key.pem {KEYS}/public_key.pem; "
        f"sudo openssl pkey -in {KEYS}/private_key.pem -noout -text | head -n 1"
    ).stdout.splitlines()
    assert listing == [
        f"oauth_user 711 {KEYS}",
        f"oauth_user 600 {KEYS}/private_key.pem",
        f"oauth_user 644 {KEYS}/public_key.pem",
        "Private-Key: (4096 bit, 2 primes)",
    ]


def test_a_deploy_never_replaces_a_key(deployed: RunningLab) -> None:
    before = _digests(deployed)
    running.deploy(deployed)
    assert _digests(deployed) == before


def test_modes_that_were_changed_by_hand_are_put_back(deployed: RunningLab) -> None:
    before = _digests(deployed)
    deployed.ssh(f"sudo chmod 644 {KEYS}/ring/active/private.pem; sudo chmod 777 {KEYS}/ring")
    running.deploy(deployed)
    stat = deployed.ssh(f"sudo stat -L -c %a {KEYS}/private_key.pem {KEYS}/ring").stdout.split()
    assert stat == ["600", "711"]
    assert _digests(deployed) == before


def test_runs_at_once_make_one_ring(deployed: RunningLab) -> None:
    """In a directory of their own, so that the host keeps its key."""
    directory = "/var/lib/oauth-server/test-keys"
    deployed.ssh(f"sudo install -d -o oauth_user -g oauth_group -m 0711 {directory}")
    init = f"sudo runuser -u oauth_user -- /usr/local/bin/oauth-server keys init --dir {directory}"
    try:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: deployed.ssh(init), range(4)))
        ring = deployed.ssh(f"sudo ls -A {directory}/ring").stdout.split()
        assert [result.returncode for result in results] == [0, 0, 0, 0]
        assert len({result.stdout for result in results}) == 1
        # The one that signs, and the one that will.
        assert len(ring) == len({"active", "signs", "pending"})
    finally:
        deployed.ssh(f"sudo rm -rf {directory}")


def _digests(lab: RunningLab) -> str:
    return lab.ssh(f"sudo find {KEYS} -type f -exec sha256sum {{}} +").stdout
