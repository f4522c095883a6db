"""The service account is made, or taken over with its ids; what can't be taken over is refused."""

from __future__ import annotations

import pytest
from pyinfra.api import deploy

from roles.base.account import account, adoptable
from roles.errors import DeployError
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost, Run

_RIGHT = {
    "user": "oauth_user:x:999:996:OAuth2 authorization server:/nonexistent:/usr/sbin/nologin",
    "group": "oauth_group:x:996:",
}
_LOOK = "getent passwd $user"


@deploy("account")
def _deploy() -> None:
    adoptable()
    account(name="Have the account")


def _run(*more: str, **entries: str) -> Run:
    lines = [f"{word} {entry}" for word, entry in (_RIGHT | entries).items()]
    answers = {_LOOK: [*lines, *more]}
    return FakeHost(Platform.DEBIAN_12, responses=answers).run(_deploy)


@pytest.mark.parametrize("platform", Platform)
def test_it_is_made_as_a_system_account_without_shell_or_home(platform: Platform) -> None:
    text = FakeHost(platform, responses={_LOOK: ["user ", "group "]}).run(_deploy).text()
    assert "groupadd --system oauth_group" in text
    (useradd,) = [line for line in text.split("\n") if line.startswith("useradd")]
    assert {"--system", "--no-create-home", "/nonexistent"} <= set(useradd.split())
    assert "--shell /usr/sbin/nologin" in text


def test_one_that_is_right_is_left_alone() -> None:
    assert _run("locked", "local", "busy").commands == []


def test_ids_that_are_there_stay() -> None:
    found = _run(
        *("locked", "local"),
        user="oauth_user:x:4711:4712::/nonexistent:/usr/sbin/nologin",
        group="oauth_group:x:4712:",
    )
    assert found.commands == []


@pytest.mark.parametrize(
    ("more", "entries", "command"),
    [
        pytest.param(
            ("locked", "local"),
            {"user": _RIGHT["user"].replace("/usr/sbin/nologin", "/bin/bash")},
            "usermod --gid oauth_group --groups '' --shell /usr/sbin/nologin --lock oauth_user",
            id="shell",
        ),
        pytest.param(
            ("locked", "local"),
            {"user": _RIGHT["user"].replace("/nonexistent", "/home/oauth_user")},
            "--home /nonexistent",
            id="home",
        ),
        pytest.param(("local",), {}, "--lock oauth_user", id="password"),
        pytest.param(("locked", "local", "in docker"), {}, "--groups '' ", id="other-groups"),
        pytest.param(
            ("locked", "local"),
            {"user": _RIGHT["user"].replace(":996:", ":100:")},
            "--gid oauth_group ",
            id="another-group-of-its-own",
        ),
        pytest.param(("locked", "local", "left empty"), {}, "rmdir /nonexistent", id="left-home"),
        pytest.param(("locked", "local"), {"group": ""}, "groupadd --system", id="no-group"),
    ],
)
def test_what_the_account_must_not_have_is_taken_away(
    more: tuple[str, ...], entries: dict[str, str], command: str
) -> None:
    text = _run(*more, **entries).text().replace("'\"'\"'", "'")
    assert command in text
    assert "useradd" not in text


@pytest.mark.parametrize(
    ("more", "entries", "fault"),
    [
        ((), {"user": "oauth_user:x:0:996::/root:/bin/bash"}, "oauth_user is root: its uid is 0"),
        ((), {"group": "oauth_group:x:0:"}, "oauth_group is root's group: its gid is 0"),
        (("shared web has the uid of oauth_user",), {}, "web has the uid of oauth_user, and could"),
        (("job /var/spool/cron/oauth_user",), {}, "remove /var/spool/cron/oauth_user"),
        (("left full",), {}, "/nonexistent is oauth_user's and not empty"),
        (("in docker",), {}, "oauth_user comes from a directory service"),
        (
            ("local", "busy"),
            {"user": _RIGHT["user"].replace("/nonexistent", "/srv")},
            "oauth_user has the home /srv, which cannot change while something runs as it",
        ),
    ],
)
def test_what_cannot_be_taken_over_is_refused_by_name(
    more: tuple[str, ...], entries: dict[str, str], fault: str
) -> None:
    with pytest.raises(DeployError, match=r"^@fake/host: ") as refused:
        _run(*more, **entries)
    assert fault in str(refused.value)


def test_a_right_account_of_a_directory_service_is_welcome() -> None:
    assert _run("locked").commands == []
