"""NET-08 and NET-09: limits by source are in force, and nothing is open that nobody opened."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, units_of
from tests.audit.verdict import must_equal, must_hold

_UNIT = "portcullis-firewall.service"
_LIST = "nft --stateless --terse list table inet portcullis"

QUESTIONS = {
    "live": _LIST,
    # What the next boot loads, as this version of nft writes it: in a namespace that ends with it.
    "at boot": f"unshare --net sh -c 'nft -f /etc/portcullis/firewall.nft && {_LIST}'",
    "unit": units_of(_UNIT),
    "chains": "nft list chains",
    "others": units_of("ufw.service", "firewalld.service", "nftables.service")
    + "; grep -si '^ENABLED=yes' /etc/ufw/ufw.conf; true",
}


@pytest.mark.control("NET-08")
def test_the_kernel_has_the_table_that_the_next_boot_loads(answers: dict[str, Answer]) -> None:
    """A rule that is gone limits nobody, and one that is in no file is gone after a reboot."""
    must_equal(
        "the table inet portcullis must be as in /etc/portcullis/firewall.nft",
        seen=answers["live"].lines,
        expected=answers["at boot"].lines,
    )


@pytest.mark.control("NET-08")
def test_it_is_loaded_at_each_boot(answers: dict[str, Answer]) -> None:
    """Before there is a network: no packet comes in meanwhile."""
    unit = answers["unit"].units[_UNIT]
    must_equal(
        f"{_UNIT} must be enabled and have done its work",
        seen={"enabled": unit["UnitFileState"], "active": unit["ActiveState"]},
        expected={"enabled": "enabled", "active": "active"},
    )


@pytest.mark.control("NET-08")
def test_it_limits_what_one_source_gets(answers: dict[str, Answer]) -> None:
    """For both versions of IP, by one limit at least: which ones is the inventory's."""
    for version in (4, 6):
        found = re.findall(rf"(?:add|update) @(?:open|rate){version} \{{", answers["live"].output)
        must_hold(
            f"a rule must limit each source of IPv{version}",
            bool(found),
            expected="ct count or limit rate by source",
            seen="none",
        )


@pytest.mark.control("NET-09")
def test_what_nobody_opened_is_closed(answers: dict[str, Answer]) -> None:
    """Now and after a reboot, by our table, ufw, firewalld, or rules of the host's own."""
    others, said = answers["others"].units, answers["others"].output
    at_boot = answers["at boot"].output
    dropping = _dropping(answers["chains"].lines)

    def has(unit: str, state: str) -> bool:
        return others.get(unit, {}).get(state) in ("active", "enabled")

    ufw = re.search(r"^ENABLED=yes", said, re.MULTILINE | re.IGNORECASE) is not None
    keepers = {
        "our own table": ("inet portcullis" in dropping, "policy drop" in at_boot),
        "ufw": (ufw and bool(dropping), ufw and has("ufw.service", "UnitFileState")),
        "firewalld": (
            has("firewalld.service", "ActiveState"),
            has("firewalld.service", "UnitFileState"),
        ),
        "rules of nftables.service": (
            bool(dropping - {"inet portcullis"}),
            has("nftables.service", "UnitFileState"),
        ),
    }  # fmt: skip
    must_hold(
        "what comes in and is not let in by name must be dropped, live and at boot",
        any(live and boot for live, boot in keepers.values()),
        expected="a chain on the hook input whose policy is drop, or firewalld",
        seen=", ".join(
            f"{name}: {'live' if live else 'not live'}, {'at boot' if boot else 'not at boot'}"
            for name, (live, boot) in keepers.items()
        ),
    )


def _dropping(lines: list[str]) -> set[str]:
    """The tables that drop on the hook input what none of their rules lets in."""
    found, table = set(), ""
    for line in lines:
        if match := re.match(r"table (\S+ \S+) \{", line):
            table = match[1]
        elif "hook input" in line and "policy drop" in line:
            found.add(table)
    return found
