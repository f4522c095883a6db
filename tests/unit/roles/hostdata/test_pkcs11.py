"""Keys on a PKCS#11 token."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.roles.hostdata.inventory import TOKEN, faults, server


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("module", "libsofthsm2.so", "must match"),
        ("token", "x" * 33, "at most 32 bytes"),
        ("token", " padded ", "without spaces around it"),
        ("devices", ["/etc/shadow"], "must match"),
        ("writable", ["/var/lib/a b"], "must match"),
        ("groups", ["-x"], "must match"),
        ("network", ["hsm.example.net"], "must be an IP address"),
        ("environment", {"path": "x"}, "must match"),
        ("environment", {"A": "two\nlines"}, "must match"),
    ],
)
def test_a_token_that_cannot_be_is_refused_by_its_rule(key: str, value: Any, rule: str) -> None:
    (line,) = faults(server(pkcs11={**TOKEN, key: value}))
    assert re.fullmatch(rf"web-1: oauth_server\.pkcs11\.{key}.*{rule}.*", line)
