"""The end of `make lab`: a token that verifies, and commands that work as they stand."""

import subprocess

from tests.lab import access_token, places, record, tour
from tests.lab.fixtures import RunningLab


def test_a_token_comes_over_tls_and_verifies_with_the_hosts_key(deployed: RunningLab) -> None:
    token = access_token.fetch_verified(deployed.lab_json)
    assert token.header["typ"] == "at+jwt"
    assert token.claims["iss"] == f"https://{deployed.hosts[0].address}"


def test_every_command_to_try_next_works(deployed: RunningLab) -> None:
    known = record.load(deployed.name)
    assert known is not None
    commands = tour.next_commands(known)
    assert len(commands) == 4
    for command in commands:
        tried = subprocess.run(
            ["sh", "-c", command],
            cwd=places.CHECKOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert tried.returncode == 0, f"{command}\n{tried.stdout}{tried.stderr}"
