"""LOG: the server's log, and its rotation."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, states_of, units_of
from tests.audit.verdict import must_equal, must_hold

pytestmark = pytest.mark.group("auth_servers")

_LOG = "/var/log/oauth_server.log"

QUESTIONS = {
    "file": states_of(_LOG),
    "rotation": f"cat $(grep -ls {_LOG} /etc/logrotate.d/*)",
    # The state file is root's, and has no part in whether the rotation is right.
    "checked": f"logrotate --debug --state /dev/null $(grep -ls {_LOG} /etc/logrotate.d/*)",
    "timer": units_of("logrotate.timer"),
}


@pytest.mark.control("LOG-01")
def test_the_log_has_owner_and_mode(answers: dict[str, Answer]) -> None:
    """Who may read it is decided by the group."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["file"].states,
        expected={_LOG: "oauth_user:oauth_group 0640 regular file"},
    )


@pytest.mark.control("LOG-02")
def test_logrotate_accepts_the_rotation(answers: dict[str, Answer]) -> None:
    """A file with a fault is passed over, and the log grows for ever."""
    must_hold(
        "logrotate --debug must find no error",
        "error:" not in answers["checked"].output,
        expected="no error",
        seen=answers["checked"].output.strip(),
    )


@pytest.mark.control("LOG-02")
def test_no_line_is_lost_in_a_rotation(answers: dict[str, Answer]) -> None:
    """The file is moved, the server opens the new one; nothing is copied and cut."""
    directives = [
        " ".join(line.split()) for line in answers["rotation"].lines if not line.startswith("#")
    ]
    must_hold(
        "the rotation must not use copytruncate",
        "copytruncate" not in directives,
        expected="no copytruncate",
        seen="copytruncate",
    )
    must_equal(
        "the next file must be created as",
        seen=[line for line in directives if re.match(r"create\b", line)],
        expected=["create 0640 oauth_user oauth_group"],
    )
    must_hold(
        "the server must be told to open the new file",
        any("SIGUSR1" in line or "-USR1" in line for line in directives),
        expected="a postrotate script that sends SIGUSR1",
        seen="none",
    )


@pytest.mark.control("LOG-02")
def test_rotation_runs_every_day(answers: dict[str, Answer]) -> None:
    """Nothing rotates by itself."""
    unit = answers["timer"].units["logrotate.timer"]
    must_equal(
        "logrotate.timer must be enabled and active",
        seen={"enabled": unit["UnitFileState"], "active": unit["ActiveState"]},
        expected={"enabled": "enabled", "active": "active"},
    )
