"""The sysctl role: what the kernel runs with now, and after a boot."""

from __future__ import annotations

import re
import shlex

import pytest

from roles.errors import DeployError
from roles.hostdata.services import SysctlData
from roles.platform import Platform
from roles.sysctl import ufw
from roles.sysctl.settings import SETTINGS, chosen, proc_path
from roles.sysctl.tasks import sysctl
from roles.sysctl.ufw import agreeing
from tests.unit.roles.fakehost import FakeHost, Run

DROP_IN = "/etc/sysctl.d/zz-portcullis.conf"
INTERFACES = ("all", "default", "eth0.100", "lo")


def kernel(**changed: int) -> dict[str, str]:
    """The live value of each key, as after our drop-in; `changed` ones are named by their end."""
    paths = [
        path.replace("*", interface)
        for path in (proc_path(setting.key) for setting in SETTINGS)
        for interface in (INTERFACES if "*" in path else ("",))
    ]
    values = {proc_path(setting.key): setting.value for setting in SETTINGS}
    for path in paths:
        values.setdefault(path, values[re.sub(r"/conf/[^/]+/", "/conf/*/", path)])
    live = {path: str(values[path]) for path in paths}
    for end, value in changed.items():
        path = next(p for p in live if p.endswith(end))
        live[path] = str(value)
    return live


def host(platform: Platform, live: dict[str, str]) -> FakeHost:
    """A machine; `systemd-detect-virt` of a container would leave the answer empty."""
    lines = [f"{path}:{value}" for path, value in live.items()]
    answers = {"grep -Hs . /proc/sys/": lines, "systemd-detect-virt": ["yes"]}
    return FakeHost(platform, responses=answers)


def deploy(fake: FakeHost, **values: int) -> Run:
    return fake.run(sysctl, SysctlData(values={k.replace("__", "."): v for k, v in values.items()}))


def persisted(fake: FakeHost) -> dict[str, str]:
    lines = fake.files[DROP_IN].content.splitlines()
    return dict(line.split(" = ") for line in lines if line and line[0] != "#")


@pytest.mark.parametrize("platform", Platform)
def test_the_drop_in_sorts_after_every_numbered_one(platform: Platform) -> None:
    """The last file wins, and 99-sysctl.conf is /etc/sysctl.conf (sysctl.d(5))."""
    fake = host(platform, kernel())
    deploy(fake)
    path = next(path for path in fake.files if "sysctl.d" in path)
    assert max("99-sysctl.conf", "99-zz.conf", path.rpartition("/")[2]) in path
    assert persisted(fake)["net.ipv4.tcp_syncookies"] == "1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("net.ipv4.tcp_syncookies", "1", id="NET-01"),
        pytest.param("net.ipv4.tcp_timestamps", "1", id="NET-01-cookies-need-them"),
        pytest.param("net.core.somaxconn", "4096", id="NET-02"),
        pytest.param("net.ipv4.tcp_max_syn_backlog", "4096", id="NET-02-half-open"),
        pytest.param("net.ipv4.tcp_synack_retries", "3", id="NET-02-given-up"),
        pytest.param("net.netfilter.nf_conntrack_max", "262144", id="NET-02-conntrack"),
        pytest.param("net.ipv4.conf.all.accept_redirects", "0", id="NET-03"),
        pytest.param("net.ipv6.conf.*.accept_redirects", "0", id="NET-03-ipv6"),
        pytest.param("net.ipv4.conf.*.send_redirects", "0", id="NET-03-send"),
        pytest.param("net.ipv4.conf.default.rp_filter", "1", id="NET-04"),
        pytest.param("net.ipv6.conf.all.accept_source_route", "0", id="NET-05"),
        pytest.param("net.ipv4.conf.all.log_martians", "1", id="NET-06"),
        pytest.param("net.ipv4.icmp_echo_ignore_broadcasts", "1", id="NET-10"),
        pytest.param("net.ipv4.icmp_ignore_bogus_error_responses", "1", id="NET-10-errors"),
        pytest.param("net.ipv4.tcp_rfc1337", "1", id="NET-10-resets"),
    ],
)
def test_each_control_has_its_value(key: str, value: str) -> None:
    fake = host(Platform.DEBIAN_12, kernel())
    deploy(fake)
    assert persisted(fake)[key] == value


def test_nothing_is_applied_where_the_kernel_runs_with_it_already() -> None:
    fake = host(Platform.DEBIAN_12, kernel())
    assert [name for name in deploy(fake).changed if "Apply" in name] == []
    second = deploy(fake)
    assert (second.predicted, second.commands) == ([], [])


def test_only_what_differs_is_written() -> None:
    """A key of somebody else's, and a key that is right, stay untouched."""
    fake = host(Platform.DEBIAN_12, kernel(**{"eth0.100/accept_redirects": 1, "somaxconn": 128}))
    applied, _ = [c for c in deploy(fake).commands if "Apply" in c.operation]
    script = shlex.split(applied.text)[2].splitlines()
    (written,) = [line for line in script if line.startswith("sysctl ")]
    assert set(written.split()[3:]) == {
        "net/ipv4/conf/eth0.100/accept_redirects=0",
        "net/core/somaxconn=4096",
    }


def test_live_values_that_somebody_changed_are_set_again() -> None:
    fake = host(Platform.DEBIAN_12, kernel())
    deploy(fake)
    fake.responses = host(Platform.DEBIAN_12, kernel(tcp_syncookies=0)).responses
    assert deploy(fake).changed == ["sysctl | Apply the kernel settings [NET-07]"]


def test_the_inventory_replaces_a_value_and_adds_another() -> None:
    live = kernel() | {"/proc/sys/net/ipv4/tcp_fin_timeout": "60"}
    fake = host(Platform.DEBIAN_12, live)
    run = deploy(fake, net__ipv4__conf__all__rp_filter=2, net__ipv4__tcp_fin_timeout=30)
    assert persisted(fake)["net.ipv4.conf.all.rp_filter"] == "2"
    assert persisted(fake)["net.ipv4.tcp_fin_timeout"] == "30"
    assert "net/ipv4/conf/all/rp_filter=2" in run.text()
    assert "default/rp_filter" not in run.text()


def test_a_named_key_stands_after_the_pattern_that_matches_it() -> None:
    """So does the last assignment win for whoever reads the file from top to bottom."""
    keys = [setting.key for setting in chosen({"net.ipv4.conf.eth0.rp_filter": 2})]
    assert max(n for n, key in enumerate(keys) if "*" in key) < min(
        n for n, key in enumerate(keys) if "*" not in key
    )


def test_a_key_of_ours_that_the_kernel_lacks_is_left_out_and_said() -> None:
    live = {path: value for path, value in kernel().items() if "/ipv6/" not in path}
    fake = host(Platform.EL_9, live)
    deploy(fake)
    assert not [key for key in persisted(fake) if "ipv6" in key]
    assert "# net.ipv6.conf.all.accept_redirects = 0" in fake.files[DROP_IN].content


def test_a_key_of_the_inventory_that_the_kernel_lacks_stops_the_deploy() -> None:
    fake = host(Platform.DEBIAN_12, kernel())
    with pytest.raises(
        DeployError,
        match=r"^@fake/host: sysctl\.values: this host's kernel has no net\.core\.somaxcon$",
    ):
        deploy(fake, net__core__somaxcon=1)
    assert fake.files == {}


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.core.somaxconn", "net/core/somaxconn"),
        ("net/core/somaxconn", "net/core/somaxconn"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_the_first_separator_tells_which_of_the_two_it_is(key: str, path: str) -> None:
    """sysctl.d(5): either may be used, and the other then stands for itself."""
    assert proc_path(key) == f"/proc/sys/{path}"


UFW = "/etc/ufw/sysctl.conf"
UFW_TEXT = """\
# from the package
net/ipv4/conf/all/accept_redirects=0
net/ipv4/icmp_echo_ignore_all=0
net/ipv4/conf/all/log_martians=0
net/ipv4/conf/default/log_martians=0
"""


def with_ufw(text: str, state: str = "root root 0644") -> FakeHost:
    fake = host(Platform.UBUNTU_22_04, kernel())
    fake.responses = {**fake.responses, "IPT_SYSCTL": [f"{state} {UFW}", *text.splitlines()]}
    return fake


def ufws(text: str, **values: int) -> str | None:
    """What a deploy makes of ufw's file, if it touches it."""
    fake = with_ufw(text)
    deploy(fake, **values)
    return fake.files[UFW].content if UFW in fake.files else None


def corrected(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (ufw._BEGIN, *lines, ufw._END))


OURS = corrected("net/ipv4/conf/all/log_martians = 1", "net/ipv4/conf/default/log_martians = 1")


def test_what_ufw_would_undo_at_its_start_is_set_right_at_the_end_of_its_file() -> None:
    """Its own lines stay, and so does what we have no word on."""
    assert ufws(UFW_TEXT) == UFW_TEXT + OURS


def test_ufws_file_keeps_its_owner_and_mode() -> None:
    fake = with_ufw(UFW_TEXT, "root adm 0640")
    deploy(fake)
    written = fake.files[UFW]
    assert (written.user, written.group, written.mode) == ("root", "adm", "0640")


def test_a_second_run_leaves_ufws_file_as_the_first_made_it() -> None:
    assert agreeing(UFW_TEXT + OURS, chosen({})) == UFW_TEXT + OURS


def test_what_is_added_below_our_part_of_ufws_file_is_read_and_kept() -> None:
    added = "net/ipv4/tcp_syncookies=0\n"
    assert agreeing(UFW_TEXT + OURS + added, chosen({})) == UFW_TEXT + added + corrected(
        "net/ipv4/conf/all/log_martians = 1",
        "net/ipv4/conf/default/log_martians = 1",
        "net/ipv4/tcp_syncookies = 1",
    )


def test_our_part_goes_when_there_is_nothing_to_set_right() -> None:
    wanted = {f"net.ipv4.conf.{scope}.log_martians": 0 for scope in ("all", "default")}
    assert agreeing(UFW_TEXT + OURS, chosen(wanted)) == UFW_TEXT


def test_a_file_of_ufws_that_agrees_is_not_rewritten() -> None:
    text = "net/ipv4/conf/all/log_martians=0\n-net.ipv4.conf.all.log_martians = 1\n"
    assert agreeing(text, chosen({})) == text


def test_a_setting_for_one_interface_is_set_right_by_ours_for_all_interfaces() -> None:
    text = "net.ipv4.conf.eth0/100.rp_filter=0\n"
    assert agreeing(text, chosen({})) == text + corrected("net.ipv4.conf.eth0/100.rp_filter = 1")


def test_without_ufw_there_is_no_file_of_its_to_write() -> None:
    fake = host(Platform.UBUNTU_22_04, kernel())
    deploy(fake)
    assert not [path for path in fake.files if "ufw" in path]
