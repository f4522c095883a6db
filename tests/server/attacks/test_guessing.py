"""Attacks on passwords: guessing them, finding out who there is, keeping people out."""

from __future__ import annotations

import re

import httpx
import pytest

from oauth_server.errors import UnavailableError
from tests.server.attacks.inside import CountedHashes, Inside, Visitor
from tests.server.person import request

TOKENS = re.compile(
    r'(name="csrf" value=)"[^"]*"|(__Host-login)=[\w-]+|value="(alice|gone|nobody)"'
)


def told(response: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """All that an attacker sees, without what is new in each answer."""
    headers = [
        (name, TOKENS.sub("", value))
        for name, value in response.headers.multi_items()
        if name not in {"x-request-id", "content-length"}
    ]
    return response.status_code, TOKENS.sub("", response.text), headers


@pytest.mark.parametrize("at", ["/account", request()])
def test_the_answer_does_not_tell_who_there_is(
    inside: Inside, hashes: CountedHashes, at: str
) -> None:
    """User enumeration (CWE-204, CWE-208): same bytes, same work, for unknown and disabled."""
    answers, work = [], []
    for username in ("alice", "nobody", "gone"):
        before = len(hashes.parameters)
        answers.append(told(Visitor(inside).log_in(username, "a wrong password", at=at)))
        work.append(hashes.parameters[before:])
    assert answers[0] == answers[1] == answers[2]
    assert work == [["$argon2id$v=19$m=65536,t=3,p=4"]] * 3
    assert [line.split("reason=")[1].split()[0] for line in inside.log.lines] == [
        "wrong_password", "unknown_user", "user_disabled",
    ]  # fmt: skip


def test_the_right_password_of_a_disabled_user_is_not_right(
    inside: Inside, hashes: CountedHashes
) -> None:
    """CWE-204: and the work is the same."""
    response = Visitor(inside).log_in("gone")
    assert response.status_code == 401
    assert len(hashes.parameters) == 1


def test_a_failure_is_in_the_log_without_what_was_typed(inside: Inside) -> None:
    """CWE-532, CWE-778."""
    visitor = Visitor(inside)
    visitor.log_in("alice", "hunter2hunter2")
    visitor.log_in("my-own-password", "x")
    known, unknown = inside.log.lines
    assert " 203.0.113.7 401 login_failed login username=alice reason=wrong_password " in known
    assert " 401 login_failed login username=? reason=unknown_user " in unknown
    assert "hunter2" not in "".join(inside.log.lines)
    assert "my-own" not in "".join(inside.log.lines)


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_guessing_is_slowed_down(inside: Inside, hashes: CountedHashes, username: str) -> None:
    """RFC 6749 §10.10, NIST SP 800-63B §3.2.2: and throttling does not tell who there is."""
    visitor = Visitor(inside)
    statuses = [visitor.log_in(username, "wrong").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert len(hashes.parameters) == 10
    refused = visitor.log_in(username, "wrong")
    assert refused.headers["retry-after"] == "900"
    assert "Try again in 15 minutes" in refused.text
    assert "required aria-invalid" not in refused.text  # nobody looked at what was typed
    assert " 429 too_many_requests login " in inside.log.lines[-1]
    inside.now += 901
    assert visitor.log_in(username, "wrong").status_code == 401


def test_the_right_password_does_not_help_past_the_limit(inside: Inside) -> None:
    """CWE-307: otherwise the limit would limit nothing."""
    visitor = Visitor(inside)
    for _ in range(10):
        visitor.log_in("alice", "wrong")
    assert visitor.log_in("alice").status_code == 429


def test_one_address_cannot_lock_somebody_out_elsewhere(inside: Inside) -> None:
    """Lockout as an attack (CWE-645)."""
    attacker = Visitor(inside, "198.51.100.1")
    for _ in range(50):
        attacker.log_in("alice", "wrong")
    assert Visitor(inside, "203.0.113.9").log_in("alice").status_code == 303


def test_many_addresses_cannot_lock_out_a_browser_that_is_known(inside: Inside) -> None:
    """https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies"""
    at_home = Visitor(inside)
    at_home.log_in("alice")
    del at_home.http.cookies["__Host-session"]
    for number in range(120):
        Visitor(inside, f"198.51.100.{number}").log_in("alice", "wrong")
    assert Visitor(inside, "192.0.2.1").log_in("alice").status_code == 429
    assert at_home.log_in("alice").status_code == 303


def test_nobody_is_locked_out_for_good(inside: Inside) -> None:
    """CWE-645."""
    for number in range(120):
        Visitor(inside, f"198.51.100.{number}").log_in("alice", "wrong")
    newcomer = Visitor(inside, "192.0.2.1")
    assert newcomer.log_in("alice").status_code == 429
    inside.now += 3601
    assert newcomer.log_in("alice").status_code == 303


def test_a_known_browser_has_a_limit_too(inside: Inside) -> None:
    """CWE-307: a stolen cookie is no licence to guess."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    del visitor.http.cookies["__Host-session"]
    statuses = [visitor.log_in("alice", "wrong").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_a_known_browser_is_known_for_its_own_user_alone(inside: Inside) -> None:
    """CWE-307: an account of one's own buys no guesses at another."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    del visitor.http.cookies["__Host-session"]
    for _ in range(10):
        visitor.log_in("nobody", "wrong")
    assert visitor.log_in("nobody", "wrong").status_code == 429
    assert visitor.log_in("alice").status_code == 303


def test_one_address_cannot_try_one_password_on_everybody(inside: Inside) -> None:
    """Password spraying (CAPEC-565); an IPv6 host has a whole /64."""
    statuses = [
        Visitor(inside, f"2001:db8::{number:x}").log_in(f"user{number}", "wrong").status_code
        for number in range(101)
    ]
    assert statuses == [401] * 100 + [429]


def test_success_takes_back_its_own_attempt_alone(inside: Inside) -> None:
    """CWE-307: logging in to an account of one's own in between must not buy more guesses."""
    visitor = Visitor(inside)
    for _ in range(9):
        visitor.log_in("alice", "wrong")
    visitor.log_in("alice")
    visitor.http.cookies.clear()
    assert visitor.log_in("alice", "wrong").status_code == 401
    assert visitor.log_in("alice", "wrong").status_code == 429


def test_what_could_not_be_checked_was_no_attempt(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-645: a busy server must not lock people out."""

    async def busy(*_: object, **__: object) -> bool:
        raise UnavailableError("The server is busy.", reason="password_queue_full")

    visitor = Visitor(inside)
    with monkeypatch.context() as patch:
        patch.setattr(inside.checker, "verifies", busy)
        for _ in range(20):
            response = visitor.log_in("alice")
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
    assert visitor.log_in("alice").status_code == 303
