"""Which assignment wins (sysctl.d(5))."""

from __future__ import annotations

import pytest

from tests.audit.kernel_settings import path_of, winners

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
