"""The fail2ban role, and its filter over lines that the server writes and that attackers wish for.

tests/deploy runs the filter in Fail2Ban itself; here its expression runs in Python's `re`, which
is what Fail2Ban compiles it with.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from configparser import RawConfigParser
from dataclasses import replace
from pathlib import Path

import pytest

from roles.fail2ban.facts import SshPeer
from roles.fail2ban.tasks import GATEWAY, fail2ban
from roles.hostdata.services import Fail2banData
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

FILTER = "/etc/fail2ban/filter.d/oauth-server.conf"
JAIL = "/etc/fail2ban/jail.d/oauth-server.conf"
ACTION = "/etc/fail2ban/action.d/portcullis.conf"
FLUSHED = "/etc/systemd/system/nftables.service.d/portcullis-bans.conf"
TIME = "2026-11-23T03:41:36.123Z"


def deployed(
    platform: Platform = Platform.DEBIAN_12, connection: str = "", **data: object
) -> FakeHost:
    fake = FakeHost(platform, responses={"SSH_CONNECTION": connection})
    fake.run(fail2ban, Fail2banData.model_validate(data), platform)
    return fake


def parsed(fake: FakeHost, path: str) -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(fake.files[path].content)
    return parser


def banned(line: str) -> str | None:
    """The address that the line counts against; Fail2Ban takes the time off before it looks."""
    definition = parsed(deployed(), FILTER)["Definition"]
    assert definition["datepattern"] == r"^%%Y-%%m-%%dT%%H:%%M:%%S(?:\.%%f)?%%z"
    time = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", line)
    if time is None:
        return None
    expression = definition["failregex"].replace("<ADDR>", r"(?P<address>[0-9a-f.:]+)")
    found = re.search(expression, line[time.end() :])
    return found["address"] if found else None


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("203.0.113.7 401 invalid_client token client_id=gateway_01 request_id=1", "203.0.113.7"),
        ("203.0.113.7 401 invalid_client token client_id=? request_id=1", "203.0.113.7"),
        ("2001:db8::7 401 login_failed authorize username=ada", "2001:db8::7"),
        ("203.0.113.7 400 invalid_grant token client_id=a", "203.0.113.7"),
        ("203.0.113.7 401 invalid_client token", "203.0.113.7"),
    ],
)
def test_who_guesses_is_counted(line: str, address: str) -> None:
    assert banned(f"{TIME} {line}") == address


@pytest.mark.parametrize(
    "line",
    [
        f"{TIME} 203.0.113.7 200 - token client_id=a request_id=1",
        f"{TIME} 203.0.113.7 401 token_expired validate request_id=1",
        f"{TIME} 203.0.113.7 401 signature_invalid validate request_id=1",
        f"{TIME} 203.0.113.7 403 invalid_scope token client_id=a request_id=1",
        f"{TIME} 203.0.113.7 400 invalid_client token client_id=a",
        f"{TIME} 203.0.113.7 400 invalid_request token client_id=a",
        f"{TIME} - 401 invalid_client token client_id=a",
        f"{TIME} 203.0.113.7 401 invalid_client_or_not token",
    ],
)
def test_what_is_no_guess_is_not_counted(line: str) -> None:
    """A token that has expired is a 401 as well; after a wrong key push everybody has one."""
    assert banned(line) is None


@pytest.mark.parametrize(
    "line",
    [
        f"{TIME} 203.0.113.7 200 - token client_id={TIME} 198.51.100.1 401 invalid_client token",
        f"{TIME} 203.0.113.7 200 - token a=%0A{TIME}%20198.51.100.1%20401%20invalid_client%20token",
        f"{TIME} 198.51.100.1 203.0.113.7 401 invalid_client token",
        f"{TIME} 203.0.113.7,198.51.100.1 401 invalid_client token",
        f"x {TIME} 198.51.100.1 401 invalid_client token",
        f"{TIME} example.org 401 invalid_client token",
        f"{TIME} 198.51.100.1 401 invalid_client token client_id=a b",
    ],
)
def test_no_line_that_the_server_would_not_write_counts_against_anybody(line: str) -> None:
    assert banned(line) is None


@pytest.mark.parametrize("platform", Platform)
def test_sshd_is_watched_in_the_journal_and_the_server_in_its_log(platform: Platform) -> None:
    """A jail whose log is missing stops the whole daemon, and auth.log is not everywhere."""
    jail = parsed(deployed(platform, max_retry=3, find_time=60, ban_time=90), JAIL)
    assert jail["sshd"]["backend"] == "systemd"
    assert dict(jail["oauth-server"]) == {
        "enabled": "true",
        "filter": "oauth-server",
        "backend": "polling",
        "logpath": "/var/log/oauth_server.log",
        "port": "443,8443",
        "banaction": "portcullis",
        "ignoreip": "127.0.0.0/8 ::1",
        "maxretry": "3",
        "findtime": "60",
        "bantime": "90",
    }
    assert jail["sshd"]["banaction"] == "portcullis"


@pytest.mark.parametrize(
    ("connection", "controller"),
    [
        ("192.0.2.10 50000 192.0.2.1 22", ["192.0.2.10"]),
        ("2001:db8::10 50000 2001:db8::1 22", ["2001:db8::10"]),
        ("fe80::1%eth0 50000 fe80::2%eth0 22", ["fe80::1"]),
        ("", []),
    ],
)
def test_the_machine_that_deploys_is_never_banned(connection: str, controller: list[str]) -> None:
    jails = parsed(deployed(connection=connection, ignore=["198.51.100.0/24"]), JAIL)
    for jail in ("sshd", "oauth-server"):
        ignored = jails[jail]["ignoreip"].split()
        assert ignored == ["127.0.0.0/8", "::1", "198.51.100.0/24", *controller]


def test_where_the_deploy_comes_from_is_asked_without_sudo() -> None:
    """sudo takes SSH_CONNECTION away."""
    fake = FakeHost(Platform.DEBIAN_12, responses={"SSH_CONNECTION": "192.0.2.10 1 192.0.2.1 22"})
    fake.run(fail2ban, Fail2banData(), Platform.DEBIAN_12, data={"_sudo": True})
    assert not fake.arguments[SshPeer().command()]["_sudo"]


@pytest.mark.parametrize("platform", Platform)
def test_bans_outlive_a_change(platform: Platform) -> None:
    """A reload keeps them; a restart lifts them until the database is read."""
    fake = deployed(platform)
    fake.run(fail2ban, Fail2banData(max_retry=4), platform)
    assert fake.units == {"fail2ban.service": ["restart", "reload"]}
    second = fake.run(fail2ban, Fail2banData(max_retry=4), platform)
    # The fake host keeps no directories.
    assert second.changed == [
        "fail2ban | Make the directory of Fail2Ban's drop-ins [SANDBOX-02]",
        "fail2ban | Make the directory of nftables' drop-ins [BAN-02]",
    ]


@pytest.mark.parametrize(
    "path", ["/etc/systemd/system/fail2ban.service.d/portcullis.conf", ACTION, FLUSHED]
)
def test_what_a_reload_would_not_take_over_restarts_it(path: str) -> None:
    fake = deployed()
    fake.files[path] = replace(fake.files[path], content="[Service]\n")
    fake.run(fail2ban, Fail2banData(), Platform.DEBIAN_12)
    assert fake.units == {"fail2ban.service": ["restart", "restart"]}


def commands(operation: str, **tags: str) -> str:
    """The action's shell, with its tags filled in as Fail2Ban does."""
    parser = parsed(deployed(), ACTION)
    known = {"name": "oauth-server", "port": "443,8443", "table": parser["Init"]["table"], **tags}
    text = parser["Definition"][operation]
    for tag, value in known.items():
        text = text.replace(f"<{tag}>", value)
    return text


@pytest.fixture
def nft(tmp_path: Path) -> Callable[[str], list[str]]:
    """What a command asks of nft, one item for each transaction."""
    said = tmp_path / "said"
    program = tmp_path / "nft"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {said}\n')
    program.chmod(0o755)

    def asked(command: str) -> list[str]:
        said.unlink(missing_ok=True)
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["/bin/sh", "-ec", command], check=True, env=path)
        return said.read_text().splitlines()

    return asked


@pytest.mark.parametrize(
    ("address", "element"),
    [
        ("203.0.113.7", "oauth-server4 { 203.0.113.7 }"),
        ("2001:db8::7", "oauth-server6 { 2001:db8::7/64 }"),
    ],
)
def test_a_ban_is_one_ipv4_address_or_a_64_of_ipv6(
    nft: Callable[[str], list[str]], address: str, element: str
) -> None:
    added = f"add element inet portcullis-bans {element}"
    assert nft(commands("actionban", ip=address)) == [added]
    lifted = f"{added}; delete element inet portcullis-bans {element}"
    assert nft(commands("actionunban", ip=address)) == [lifted]


def test_bans_come_before_conntrack_and_all_other_rules(nft: Callable[[str], list[str]]) -> None:
    (started,) = nft(commands("actionstart"))
    assert "hook prerouting priority -310;" in started
    assert " ct " not in started, "what is established is dropped as well"


def test_the_bans_follow_whatever_flushes_all_rules() -> None:
    drop_in = deployed().files[FLUSHED].content
    for directive in ("ExecStartPost=-", "ExecReload=-"):
        (line,) = (line for line in drop_in.splitlines() if line.startswith(directive))
        assert "fail2ban-client reload --restart" in line


def test_a_gateway_apart_from_its_servers_has_a_jail_on_its_own_log() -> None:
    """And none on a server's log, which is not there: that would stop the daemon."""
    fake = FakeHost(Platform.DEBIAN_12, responses={"SSH_CONNECTION": ""})
    fake.run(fail2ban, Fail2banData(), Platform.DEBIAN_12, (), (GATEWAY,))
    jail = parsed(fake, JAIL)
    assert jail.sections() == ["sshd", "oauth-gateway"]
    assert jail["oauth-gateway"]["logpath"] == "/var/log/nginx/oauth_guesses.log"
    assert jail["oauth-gateway"]["filter"] == "oauth-server"
    line = "2026-11-23T03:41:36+00:00 203.0.113.7 401 invalid_client gateway request_id=1"
    assert banned(line) == "203.0.113.7"
