"""What is refused is refused before the host is changed: exit code 1, a line for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab


@pytest.fixture
def refused(lab: RunningLab, tmp_path: Path) -> Refused:
    return Refused(lab, tmp_path)


class Refused:
    """Deploys with one thing changed in the inventory, and gives what the run said."""

    def __init__(self, lab: RunningLab, directory: Path) -> None:
        self.lab = lab
        self.host = lab.hosts[0].name
        self._directory = directory

    def says(self, changes: str = "{}") -> str:
        inventory = running.changed_inventory(self._directory, changes)
        before = running.state(self.lab)
        result = running.pyinfra(self.lab, "-y", inventory=inventory)
        assert result.returncode == 1, result.stdout + result.stderr
        assert running.state(self.lab) == before
        said = result.stdout + result.stderr
        assert "Traceback" not in said
        return said


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param("{'redsi': {}}", "redsi: unknown key; did you mean redis?", id="unknown-key"),
        pytest.param(
            "{'oauth_server': {'issuer': 'https://a.test', 'access_token_lifetime': '600'}}",
            "oauth_server.access_token_lifetime: must be a whole number",
            id="wrong-type",
        ),
        pytest.param("{'oauth_server': {}}", "oauth_server.issuer: is missing", id="no-issuer"),
        pytest.param(
            "{'clients': [{'client_id': 'a', 'grant_types': ['authorization_code'], 'scope': 'b',"
            " 'token_endpoint_auth_method': 'none', 'redirect_uris': ['http://a.test/callback']}]}",
            "clients[0].redirect_uris[0]: http:// is allowed for the loopback literals",
            id="http-redirect-uri",
        ),
        pytest.param(
            "{'clients': [{'client_id': 'a', 'grant_types': ['client_credentials'], 'scope': 'b',"
            " 'token_endpoint_auth_method': 'client_secret_post',"
            " 'client_secret': {'env': 'PORTCULLIS_NO_SUCH_VARIABLE'}}]}",
            "environment variable PORTCULLIS_NO_SUCH_VARIABLE is empty",
            id="secret-that-is-nowhere",
        ),
        pytest.param(
            "{'certificates': {**data['certificates'], 'directory': '/proc/nowhere'}}",
            "certificates: directory /proc/nowhere cannot be used: No such file or directory",
            id="ca-that-cannot-be-made",
        ),
        pytest.param("{None: 1}", "None: a key must be text", id="key-that-is-no-text"),
    ],
)
def test_a_fault_in_the_inventory_is_named_with_host_key_and_rule(
    refused: Refused, changes: str, line: str
) -> None:
    said = refused.says(changes)
    assert said.count(line) == 1, said
    assert refused.host in said


def test_an_unsupported_system_is_refused_by_name(refused: Refused) -> None:
    """An os-release of Debian 11, laid over the host's own for this one run."""
    lay = (
        "printf 'PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\\nID=debian\\nVERSION_ID=11\\n' |"
        " sudo tee /run/os-release-11 >/dev/null &&"
        " sudo mount --bind /run/os-release-11 $(readlink -f /etc/os-release)"
    )
    assert refused.lab.ssh(lay).returncode == 0
    try:
        said = refused.says()
    finally:
        refused.lab.ssh("sudo umount $(readlink -f /etc/os-release); sudo rm /run/os-release-11")
    assert "Debian GNU/Linux 11 (bullseye) is not supported" in said
    assert "supported are: Debian 12, Ubuntu 22.04, Ubuntu 24.04, RHEL" in said
