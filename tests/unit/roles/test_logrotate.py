"""The logrotate role on every platform."""

from __future__ import annotations

import pytest

from roles.hostdata.services import LogrotateData
from roles.logrotate.tasks import logrotate
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost


def rotation(platform: Platform) -> list[str]:
    fake = FakeHost(platform)
    fake.run(logrotate, LogrotateData(keep=9), platform)
    assert fake.units == {"logrotate.timer": ["restart"]}
    return [
        line.strip() for line in fake.files["/etc/logrotate.d/oauth-server"].content.split("\n")
    ]


@pytest.mark.parametrize("platform", Platform)
def test_the_next_file_is_the_servers_and_no_line_is_lost(platform: Platform) -> None:
    """copytruncate loses what is written between the copy and the cut."""
    lines = rotation(platform)
    assert {"daily", "rotate 9", "create 0640 oauth_user oauth_group", "delaycompress"} <= set(
        lines
    )
    assert "copytruncate" not in lines


@pytest.mark.parametrize("platform", Platform)
def test_the_server_alone_is_told_to_reopen_and_only_while_it_runs(platform: Platform) -> None:
    """SIGUSR1 kills a process that has not said yet what to do with it."""
    script = "\n".join(rotation(platform)).partition("postrotate")[2]
    assert "--signal=SIGUSR1 --kill-who=main oauth-server.service" in script
    assert script.index("is-active") < script.index("systemctl kill")


@pytest.mark.parametrize(
    ("platform", "su"),
    [
        (Platform.DEBIAN_12, []),
        (Platform.UBUNTU_22_04, ["su root adm"]),
        (Platform.UBUNTU_24_04, ["su root adm"]),
        (Platform.EL_9, []),
    ],
)
def test_logrotate_is_told_whom_to_be_where_a_group_may_write_to_the_logs(
    platform: Platform, su: list[str]
) -> None:
    assert [line for line in rotation(platform) if line.startswith("su ")] == su


def test_a_second_run_changes_nothing() -> None:
    fake = FakeHost(Platform.EL_9)
    fake.run(logrotate, LogrotateData(), fake.platform)
    second = fake.run(logrotate, LogrotateData(), fake.platform)
    assert (second.predicted, second.commands) == ([], [])
