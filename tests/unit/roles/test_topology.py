"""roles.topology: which hosts are one fleet, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from roles.hostdata.check import validate
from roles.hostdata.host import HostData
from roles.topology import GROUPS, Member, Place, places
from tests.unit.roles.hostdata.inventory import VALID, acme

ALL = frozenset(GROUPS)
SERVER, GATEWAY, STATE = (frozenset({group}) for group in GROUPS)
FLEET = {"a": SERVER, "b": SERVER, "c": GATEWAY | STATE}


def data(**of_each: dict[str, Any]) -> dict[str, HostData]:
    """By host: what is changed of sound data, whose address follows from the place in the list."""
    return {
        name: validate(
            name, {**VALID, "address": f"10.0.0.{n}", **changes}, connection_keys=frozenset()
        )
        for n, (name, changes) in enumerate(of_each.items(), start=1)
    }


def faults(groups: dict[str, frozenset[str]], **of_each: dict[str, Any]) -> list[str]:
    found, said = places(groups, data(**of_each))
    assert (not said) is bool(found)
    return said


@pytest.mark.parametrize("each", [frozenset(), ALL, SERVER, SERVER | STATE])
def test_hosts_of_the_same_groups_are_each_on_their_own(each: frozenset[str]) -> None:
    """Also with different issuers and without addresses, as ever."""
    apart = {"oauth_server": {"issuer": "https://other.example.org"}, "address": None}
    assert places({"a": each, "b": each}, data(a={}, b=apart)) == (
        {"a": Place("a"), "b": Place("b")},
        [],
    )


def test_each_host_of_a_fleet_knows_whom_it_needs() -> None:
    found, said = places(FLEET, data(a={}, b={}, c={}))
    assert said == []
    a, b, c = (Member(name, f"10.0.0.{n}") for n, name in enumerate("abc", start=1))
    assert found["a"].store == c
    assert found["a"].proxies == (c,)
    assert (found["a"].is_server, found["a"].is_gateway, found["a"].is_state) == (1, 0, 0)
    assert found["c"].upstreams == (a, b)
    assert found["c"].redis_clients == (a, b)
    assert found["c"].store is None


def test_a_gateway_beside_the_only_server_leads_to_its_socket() -> None:
    found, _ = places({"a": ALL, "b": GATEWAY}, data(a={}, b={}))
    assert found["a"].upstreams == ()
    assert found["b"].upstreams == (Member("a", "10.0.0.1"),)
    assert found["a"].proxies == (Member("b", "10.0.0.2"),)
    assert found["a"].redis_clients == ()


def test_an_ipv6_address_is_in_brackets_in_a_url() -> None:
    assert Member("a", "2001:db8::1").in_url == "[2001:db8::1]"


@pytest.mark.parametrize(
    ("groups", "c", "fault"),
    [
        ({**FLEET, "b": frozenset()}, {}, "b: groups: is in none of auth_servers, gateways, state"),
        (
            {**FLEET, "c": GATEWAY},
            {},
            "groups: state: has no host, and not every host is in each group that is named",
        ),
        ({**FLEET, "b": SERVER | STATE}, {}, "groups: state: must be one host, and is b, c"),
        (FLEET, {"address": None}, "c: address: is missing; the fleet's other hosts need it"),
        (FLEET, {"address": "10.0.0.1"}, "address: 10.0.0.1 is that of several hosts"),
        (
            FLEET,
            {"oauth_server": {"issuer": "https://b.example.org"}},
            (
                "oauth_server.issuer: a fleet has one, and not https://auth.example.org, "
                "https://b.example.org"
            ),
        ),
        (FLEET, acme(), "c: certificates: acme is for a host on its own, not for a fleet"),
        ({**FLEET, "c": ALL}, {"clients": []}, "clients: must be the same on all of auth_servers"),
        (
            {**FLEET, "c": ALL},
            {"oauth_server": {**VALID["oauth_server"], "code_timeout": 10}},
            "oauth_server: must be the same on all of auth_servers, but trusted_proxies",
        ),
    ],
)
def test_a_fault_is_told_in_a_line(
    groups: dict[str, frozenset[str]], c: dict[str, Any], fault: str
) -> None:
    assert faults(groups, a={}, b={}, c={"address": "10.0.0.3", **c}) == [fault]


def test_an_issuer_by_address_can_not_be_verified() -> None:
    by_address = {"oauth_server": {"issuer": "https://10.0.0.9"}}
    assert faults(FLEET, a=by_address, b=by_address, c=by_address) == [
        "oauth_server.issuer: must be a name in a fleet, whose hosts verify it"
    ]
