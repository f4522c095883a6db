"""nginx and SELinux: a policy module where it is on, and not a word where it is not."""

from __future__ import annotations

import hashlib

import pytest

from roles.gateway.tasks import gateway
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost, Run

_ON = {"/sys/fs/selinux/enforce": ["on"]}


def _run(platform: Platform, answer: dict[str, list[str]]) -> Run:
    return FakeHost(platform, responses=answer).run(gateway, "https://auth.example.org", platform)


def _loads(run: Run) -> list[str]:
    return [command.stdin for command in run.commands if "semodule -i" in command.text]


def test_where_selinux_is_on_nginx_is_let_in_to_the_servers_socket_before_it_runs() -> None:
    """The socket's file is systemd's, and who listens is the service or systemd itself."""
    run = _run(Platform.EL_9, _ON)
    (policy,) = _loads(run)
    assert "(allow httpd_t var_run_t (sock_file (write)))" in policy
    assert "(allow httpd_t unconfined_service_t (unix_stream_socket (connectto)))" in policy
    assert "(allow httpd_t init_t (unix_stream_socket (connectto)))" in policy
    for domain in ("chronyd_t", "fail2ban_t", "httpd_t", "redis_t"):
        assert f"(allow init_t {domain} (process2 (nnp_transition nosuid_transition)))" in policy
    assert policy.count("(allow ") == 3 + 4
    order = [name for name in run.changed if name.endswith("[GW-02]")]
    assert [name.split("| ")[-1].split()[0] for name in order] == ["Let", "Run"]


def test_a_module_that_is_loaded_is_not_loaded_again_and_another_text_is() -> None:
    (policy,) = _loads(_run(Platform.EL_9, _ON))
    digest = hashlib.sha256(policy.encode()).hexdigest()
    assert _loads(_run(Platform.EL_9, {"/sys/fs/selinux/enforce": ["on", digest]})) == []
    assert _loads(_run(Platform.EL_9, {"/sys/fs/selinux/enforce": ["on", "0" * 64]})) == [policy]


@pytest.mark.parametrize("platform", Platform)
def test_where_selinux_is_off_nothing_is_loaded(platform: Platform) -> None:
    """Debian's and Ubuntu's hosts are not even asked."""
    assert _loads(_run(platform, {})) == []


@pytest.mark.parametrize(
    "platform", [platform for platform in Platform if not platform.is_el], ids=str
)
def test_no_other_platform_is_asked(platform: Platform) -> None:
    assert _loads(_run(platform, _ON)) == []
