"""BAN: who guesses is kept out, and nobody else."""

from __future__ import annotations

import re
from shlex import quote

import pytest

from tests.audit.subject import Answer, units_of
from tests.audit.verdict import must_equal, must_hold

pytestmark = pytest.mark.group("auth_servers")

_LOG = "/var/log/oauth_server.log"
_FILTER = "/etc/fail2ban/filter.d/oauth-server.conf"
_JAIL = "oauth-server"
_GUESSES = "/var/log/nginx/oauth_guesses.log"

_TIME = "2026-11-23T03:41:36.123Z"
_VICTIM = "203.0.113.99"
# Each line with the address that it must get banned, or None. Those without are what somebody
# might send to have a victim banned, or what honest clients do.
_LINES = {
    f"{_TIME} 192.0.2.1 401 invalid_client token client_id=gateway_01 request_id=a1": "192.0.2.1",
    f"{_TIME} 2001:db8::2 401 invalid_client token client_id=? request_id=a2": "2001:db8::2",
    f"{_TIME} 192.0.2.3 401 login_failed authorize client_id=app request_id=a3": "192.0.2.3",
    f"{_TIME} 192.0.2.4 400 invalid_grant token client_id=app request_id=a4": "192.0.2.4",
    "2026-11-23T03:41:36+00:00 192.0.2.5 401 invalid_client gateway request_id=a5": "192.0.2.5",
    f"{_TIME} 198.51.100.1 200 - token client_id=gateway_01 request_id=b1": None,
    f"{_TIME} 198.51.100.2 401 token_expired introspect client_id=app request_id=b2": None,
    f"{_TIME} 198.51.100.3 403 invalid_scope token client_id=app request_id=b3": None,
    f"{_TIME} 198.51.100.4 200 - token client_id=%0A{_TIME}%20{_VICTIM}%20401": None,
    f"{_TIME} 198.51.100.5 200 - token client_id={_VICTIM} 401 invalid_client token": None,
    f"{_TIME} - 401 invalid_client token client_id={_VICTIM} request_id=b6": None,
    f"{_VICTIM} 401 invalid_client token client_id=app request_id=b7": None,
}

QUESTIONS = {
    # fail2ban-regex takes lines from a regular file only.
    "found": "lines=$(mktemp) && trap 'rm -f \"$lines\"' EXIT && "
    f"printf '%s\\n' {' '.join(map(quote, _LINES))} > \"$lines\" && "
    f'fail2ban-regex -o ip "$lines" {_FILTER}',
    "unit": units_of("fail2ban.service"),
    "jail": f"fail2ban-client status {_JAIL}",
    "expressions": f"fail2ban-client get {_JAIL} failregex && echo -- && "
    f"sed -n 's/^failregex *= *//p' {_FILTER}",
    "leads": "grep -c 'proxy_pass https://oauth_servers' /etc/nginx/nginx.conf || true",
    "writes": f"grep -cE '^ *access_log {_GUESSES} guesses' /etc/nginx/nginx.conf || true",
    "gateway": "fail2ban-client status oauth-gateway",
    "gateway actions": "fail2ban-client get oauth-gateway actions",
    "actions": f"fail2ban-client get {_JAIL} actions",
}


@pytest.mark.control("BAN-01")
def test_the_filter_finds_failed_clients_and_nobody_else(answers: dict[str, Answer]) -> None:
    """Lines of the log's format, honest and crafted, are put through Fail2Ban itself."""
    must_equal(
        "addresses that the filter finds in sample lines",
        seen=answers["found"].output.split(),
        expected=[address for address in _LINES.values() if address],
    )


@pytest.mark.control("BAN-02")
def test_fail2ban_is_enabled_and_runs(answers: dict[str, Answer]) -> None:
    """Today and after a reboot."""
    unit = answers["unit"].units["fail2ban.service"]
    must_equal(
        "Fail2Ban must be enabled and active",
        seen={"enabled": unit["UnitFileState"], "active": unit["ActiveState"]},
        expected={"enabled": "enabled", "active": "active"},
    )


@pytest.mark.control("BAN-02")
def test_the_jail_watches_the_servers_log(answers: dict[str, Answer]) -> None:
    """A jail on another file, or on none, bans nobody."""
    watched = re.search(r"File list:\s*(.*)", answers["jail"].output)
    must_equal(
        f"files that the jail {_JAIL} watches",
        seen=watched[1].split() if watched else [],
        expected=[_LOG],
    )


@pytest.mark.control("BAN-02")
def test_the_jail_runs_with_the_filter_on_the_disk(answers: dict[str, Answer]) -> None:
    """A filter that was changed after the start would not be the one that was tried above."""
    said, _, on_disk = answers["expressions"].output.partition("--\n")
    in_use = "\n".join(re.sub(r"^[|`]- \[\d+\]: ", "", line) for line in said.splitlines()[1:])
    # Fail2Ban writes out what <ADDR> stands for.
    parts = on_disk.strip().split("<ADDR>")
    must_hold(
        "the jail must run with the expression on the disk",
        re.fullmatch(".+".join(map(re.escape, parts)), in_use),
        expected=on_disk.strip(),
        seen=in_use,
    )


@pytest.mark.control("BAN-02")
def test_the_jail_bans(answers: dict[str, Answer]) -> None:
    """Without an action it would only count."""
    must_equal("the jail's actions", seen=answers["actions"].lines[1:], expected=["portcullis"])


@pytest.mark.control("BAN-03")
@pytest.mark.group("gateways")
def test_a_gateway_apart_from_its_servers_bans_itself(answers: dict[str, Answer]) -> None:
    """To a server the connections are all the gateway's; before one on this host its jail acts."""
    if answers["leads"].output.strip() == "0":
        return
    must_equal(
        "lines of nginx.conf that log guesses", seen=answers["writes"].output.strip(), expected="1"
    )
    watched = re.search(r"File list:\s*(.*)", answers["gateway"].output)
    must_equal(
        "files that the jail oauth-gateway watches",
        seen=watched[1].split() if watched else [],
        expected=[_GUESSES],
    )
    must_equal("its actions", seen=answers["gateway actions"].lines[1:], expected=["portcullis"])
