"""STATE: Redis, which holds what was spent and what was revoked."""

from __future__ import annotations

import pytest

from tests.audit.listeners import parse
from tests.audit.subject import Answer, Subject, states_of, units_of
from tests.audit.verdict import must_equal, must_hold

pytestmark = pytest.mark.group("state")

_SOCKET = "/run/redis/redis.sock"

QUESTIONS = {
    "config": "cat /etc/redis/redis.conf",
    # What stands for a password in it stays on the host.
    "acl": "sed 's/#[0-9a-f]*/#HASH/g' /etc/redis/users.acl",
    "files": states_of(
        "/etc/redis/redis.conf", "/etc/redis/users.acl", "/etc/oauth2/redis.password"
    ),
    "socket": states_of(_SOCKET),
    "listeners": "ss -H -ltnp",
    "stranger": f"redis-cli -s {_SOCKET} PING",
    "units": units_of("redis-server.service", "redis.service"),
    "running": "for pid in $(pidof redis-server); do stat -c %U /proc/$pid/; done",
}


def _settings(answers: dict[str, Answer]) -> dict[str, str]:
    """redis.conf: of a setting that stands there twice the last one counts."""
    lines = (line.split(None, 1) for line in answers["config"].lines if line.strip())
    return {
        words[0].lower(): words[1].strip().strip('"') if len(words) > 1 else ""
        for words in lines
        if words[0][0] != "#"
    }


def _tls_port(settings: dict[str, str], subject: Subject) -> str:
    """What is allowed: a host with neighbours may let them in, by TLS 1.3."""
    if not subject.has_neighbours or "tls-port" not in settings:
        return "nothing"
    must_equal(
        "TLS of Redis",
        seen=settings.get("tls-protocols", "its defaults"),
        expected="TLSv1.3",
    )
    return "6379"


@pytest.mark.control("STATE-01")
def test_redis_is_configured_for_its_socket_alone(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """The next start opens no port either."""
    settings = _settings(answers)
    must_equal(
        "redis.conf must say",
        seen={key: settings.get(key, "nothing") for key in ("port", "tls-port", "unixsocket")},
        expected={"port": "0", "tls-port": _tls_port(settings, subject), "unixsocket": _SOCKET},
    )


@pytest.mark.control("STATE-01")
def test_redis_listens_on_no_port_without_tls(answers: dict[str, Answer], subject: Subject) -> None:
    """Whatever its configuration says."""
    found = parse(answers["listeners"].lines)
    ports = [
        entry.port
        for entry in found
        if entry.port == 6379 or any("redis" in program for program in entry.programs)
    ]
    port = _tls_port(_settings(answers), subject)
    must_equal(
        "ports that Redis listens on",
        seen=sorted(set(ports)),
        expected=[] if port == "nothing" else [int(port)],
    )


@pytest.mark.control("STATE-01")
def test_the_socket_is_for_redis_and_its_group(answers: dict[str, Answer]) -> None:
    """Other accounts can't even knock."""
    must_equal(
        "the socket must be",
        seen=answers["socket"].states,
        expected={_SOCKET: "redis:redis 0770 socket"},
    )


@pytest.mark.control("STATE-02")
def test_redis_evicts_nothing_and_writes_everything_down(answers: dict[str, Answer]) -> None:
    """A spent code stays spent, also when memory is short and after a power cut."""
    settings = _settings(answers)
    must_equal(
        "redis.conf must say",
        seen={key: settings.get(key, "nothing") for key in ("maxmemory-policy", "appendonly")},
        expected={"maxmemory-policy": "noeviction", "appendonly": "yes"},
    )


def _users(answers: dict[str, Answer]) -> dict[str, list[str]]:
    lines = (line.split() for line in answers["acl"].lines)
    return {words[1]: words[2:] for words in lines if words[:1] == ["user"]}


@pytest.mark.control("STATE-03")
def test_the_acl_knows_one_user(answers: dict[str, Answer]) -> None:
    """It may use its own keys, and neither read settings nor erase everything."""
    users = _users(answers)
    must_equal(
        "users in the ACL",
        seen=sorted(users),
        expected=["default", "oauth_server"],
    )
    default = users["default"]
    must_hold(
        "the default user must be off and have no password",
        not {"on", "nopass"} & set(default) and not any(rule[0] in "#>" for rule in default),
        expected="neither `on` nor `nopass` nor a password",
        seen=" ".join(default),
    )
    rules = users["oauth_server"]
    too_much = {"nopass", "allkeys", "~*", "+@all", "allcommands", "+@admin", "+@dangerous"}
    must_hold(
        "oauth_server must have a password and no more than its own keys",
        not too_much & set(rules) and "#HASH" in rules,
        expected=f"a password's hash, and none of {' '.join(sorted(too_much))}",
        seen=" ".join(rules),
    )
    must_equal(
        "keys of oauth_server",
        seen=sorted(rule for rule in rules if rule[0] in "~%"),
        expected=["~oauth:*", "~revocations"],
    )


@pytest.mark.control("STATE-03")
def test_redis_reads_that_acl(answers: dict[str, Answer]) -> None:
    """A file that nobody reads protects nothing."""
    must_equal(
        "redis.conf must name the ACL file",
        seen=_settings(answers).get("aclfile", "nothing"),
        expected="/etc/redis/users.acl",
    )


@pytest.mark.control("STATE-03")
def test_redis_answers_no_stranger(answers: dict[str, Answer]) -> None:
    """Also on the socket, a password is asked for."""
    must_hold(
        "a PING without a password must be refused",
        answers["stranger"].output.startswith("NOAUTH"),
        expected="NOAUTH",
        seen=answers["stranger"].output.strip(),
    )


@pytest.mark.control("STATE-03")
def test_only_the_server_can_read_the_password(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """Root writes both sides of it; neither Redis nor the server can change its own."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["files"].states,
        expected={
            "/etc/redis/redis.conf": "root:redis 0640 regular file",
            "/etc/redis/users.acl": "root:redis 0640 regular file",
            "/etc/oauth2/redis.password": "root:oauth_group 0640 regular file"
            if subject.is_server
            else "missing",
        },
    )


@pytest.mark.control("STATE-04")
def test_redis_is_enabled_and_runs(answers: dict[str, Answer], subject: Subject) -> None:
    """Today and after a reboot, as its own account."""
    unit = answers["units"].units["redis.service" if subject.is_el else "redis-server.service"]
    must_equal(
        "Redis must be enabled and active, as its own account",
        seen={
            "enabled": unit["UnitFileState"],
            "active": unit["ActiveState"],
            "accounts": answers["running"].text.split(),
        },
        expected={"enabled": "enabled", "active": "active", "accounts": ["redis"]},
    )
