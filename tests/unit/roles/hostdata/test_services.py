"""Kernel settings, clock, Redis, Fail2Ban and logrotate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.hostdata.inventory import VALID, faults, sysctl, validated


@pytest.mark.parametrize("value", [-(2**31), 2**64 - 1])
def test_a_kernel_setting_may_have_what_a_kernel_number_holds(value: int) -> None:
    assert validated(sysctl(value)).sysctl.values == {"fs.file-max": value}


@pytest.mark.parametrize("value", ["16mb", "16384kb", "1024gb"])
def test_redis_gets_from_16_mb_to_a_terabyte(value: str) -> None:
    assert validated({**VALID, "redis": {"maxmemory": value}}).redis.maxmemory == value


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            {**VALID, "redis": {"maxmemory": "lots"}},
            "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
            id="maxmemory",
        ),
        pytest.param(
            {**VALID, "redis": {"maxmemory": "1mb\nport 6379"}},
            "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
            id="a-second-line-in-redis.conf",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": []}},
            "chrony.servers: must not be empty",
            id="no-time-source",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": ["Time.example.org"]}},
            "chrony.servers[0]: must be a host name in lower case, or an IP address",
            id="time-source",
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": {"net.ipv4.tcp_syncookies": "1"}}},
            "sysctl.values.net.ipv4.tcp_syncookies: must be a whole number",
            id="sysctl-value",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"ignore": ["office"]}},
            "fail2ban.ignore[0]: must be an IP address or a network such as 10.0.0.0/8",
            id="ignore",
        ),
        pytest.param(
            {**VALID, "logrotate": {"keep": 0}},
            "logrotate.keep: must be 1 or more",
            id="keep",
        ),
        pytest.param(
            {**VALID, "logrotate": {"keep": 3651}},
            "logrotate.keep: must be 3650 or less",
            id="ten-years-of-logs",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"max_retry": 10_001}},
            "fail2ban.max_retry: must be 10000 or less",
            id="a-jail-that-never-bans",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"find_time": 604_801}},
            "fail2ban.find_time: must be 604800 or less",
            id="more-than-a-week",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"ban_time": 10**5000}},
            "fail2ban.ban_time: must be 31536000 or less",
            id="more-than-a-year",
        ),
        *(
            pytest.param(
                {**VALID, "redis": {"maxmemory": memory}},
                "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
                id=f"maxmemory-{memory[:9]}",
            )
            for memory in ("1kb", "15mb", "1025gb", "9" * 5000 + "gb")
        ),
        pytest.param(
            sysctl(2**64),
            "sysctl.values.fs.file-max: must be less than 18446744073709551616",
            id="more-than-the-kernel-holds",
        ),
        pytest.param(
            sysctl(-(10**5000)),
            "sysctl.values.fs.file-max: must be -2147483648 or more",
            id="a-number-that-python-will-not-print",
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": {"A=1\nb": 1}}},
            r"sysctl.values.A=1\nb: the key itself must match ^[a-z0-9_.*/-]+$",
            id="sysctl-key",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]
