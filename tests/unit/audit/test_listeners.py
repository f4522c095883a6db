"""Listeners, from ss' own lines."""

from __future__ import annotations

import pytest

from tests.audit.listeners import Listener, parse

PROGRAMS = 'users:(("oauth-server",pid=7,fd=3),("systemd",pid=1,fd=40))'


@pytest.mark.parametrize(
    ("local", "listener", "is_local"),
    [
        ("203.0.113.1:22", Listener("203.0.113.1", 22, frozenset()), False),
        ("127.0.0.1:323", Listener("127.0.0.1", 323, frozenset()), True),
        ("127.0.0.53%lo:53", Listener("127.0.0.53", 53, frozenset()), True),
        ("*:8443", Listener("*", 8443, frozenset()), False),
        ("[::]:443", Listener("::", 443, frozenset()), False),
        ("[::1]:6379", Listener("::1", 6379, frozenset()), True),
        ("[fe80::1]%eth0:546", Listener("fe80::1", 546, frozenset()), False),
        ("10.0.0.1:80", Listener("10.0.0.1", 80, frozenset()), False),
    ],
)
def test_an_address_is_the_hosts_own_or_the_networks(
    local: str, listener: Listener, is_local: bool
) -> None:
    [found] = parse([f"LISTEN 0 4096 {local} *:*"])
    assert found == listener
    assert found.is_local is is_local


def test_programs_are_named_where_they_can_be_seen() -> None:
    [found] = parse([f"LISTEN 0 4096 *:8443 *:* {PROGRAMS}"])
    assert found.programs == {"oauth-server", "systemd"}
