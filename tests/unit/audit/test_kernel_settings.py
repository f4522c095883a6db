"""Which assignment wins (sysctl.d(5))."""

from __future__ import annotations

import pytest

from tests.audit.kernel_settings import as_required, holds, path_of, winners

KEY = "net/ipv4/conf/all/rp_filter"


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        pytest.param(["net.ipv4.conf.all.rp_filter = 1"], "1", id="dots"),
        pytest.param(["net/ipv4/conf/all/rp_filter=1"], "1", id="slashes"),
        pytest.param(["-net.ipv4.conf.all.rp_filter = 1"], "1", id="errors-ignored"),
        pytest.param([f"{KEY}=1", f"{KEY}=0"], "0", id="last-wins"),
        pytest.param(
            [f"{KEY}=1", "# net.ipv4.conf.all.rp_filter=0", f"; {KEY}=0"], "1", id="comment"
        ),
        pytest.param(["net.ipv4.conf.*.rp_filter=2"], "2", id="pattern"),
        pytest.param([f"{KEY}=1", "net.ipv4.conf.*.rp_filter=2"], "1", id="name-beats-pattern"),
        pytest.param(
            ["net.ipv4.conf.*.rp_filter=2", "net.ipv4.*.all.rp_filter=0"], "0", id="last-pattern"
        ),
        pytest.param(["net.ipv4.*.rp_filter=2"], None, id="star-is-one-name"),
        pytest.param(["-net.ipv4.conf.all.rp_filter", ""], None, id="no-assignment"),
    ],
)
def test_the_winner_is_what_systemd_would_apply(lines: list[str], value: str | None) -> None:
    assert winners(lines, [KEY]).get(KEY) == value


def test_a_dot_inside_a_name_stays_the_names() -> None:
    assert path_of("net.ipv4.conf.eth0/100.rp_filter") == "net/ipv4/conf/eth0.100/rp_filter"
    assert path_of("net/ipv4/conf/eth0.100/rp_filter") == "net/ipv4/conf/eth0.100/rp_filter"


@pytest.mark.parametrize(
    ("path", "value", "right"),
    [
        ("net/core/somaxconn", 4095, False),
        ("net/core/somaxconn", 4096, True),
        ("net/core/somaxconn", 65535, True),
        ("net/ipv4/tcp_synack_retries", 4, False),
        ("net/ipv4/tcp_synack_retries", 3, True),
        ("net/ipv4/tcp_synack_retries", 2, True),
    ],
)
def test_a_host_may_be_stricter_than_its_limit(path: str, value: int, right: bool) -> None:
    assert holds(path, value) == right


@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("net/ipv6/conf/all/accept_source_route", "-1", "0"),
        ("net/ipv6/conf/all/accept_source_route", "1", "1"),
        ("net/ipv4/conf/all/accept_source_route", "-1", "-1"),
    ],
)
def test_only_ipv6_has_less_than_no_source_routes(path: str, value: str, seen: str) -> None:
    assert as_required(path, value) == seen
