"""The choice of a lab's network."""

from ipaddress import IPv4Network

import pytest

from tests.lab import subnet
from tests.lab.machine import LabError


def networks(*written: str) -> list[IPv4Network]:
    return [IPv4Network(one) for one in written]


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        pytest.param([], "10.213.0.0/24", id="nothing-taken"),
        pytest.param(["10.213.0.0/24"], "10.213.1.0/24", id="another-lab"),
        pytest.param(["10.213.0.128/25", "10.213.1.7/32"], "10.213.2.0/24", id="parts-of-a-24"),
        pytest.param(["10.0.0.0/8"], "172.30.0.0/24", id="a-vpn-over-all-of-10"),
        pytest.param(["10.0.0.0/8", "172.16.0.0/12"], "192.168.224.0/24", id="two-vpns"),
    ],
)
def test_it_overlaps_with_no_route(taken: list[str], chosen: str) -> None:
    assert str(subnet.choose(networks(*taken))) == chosen


def test_without_room_it_says_so() -> None:
    with pytest.raises(LabError, match="is in use"):
        subnet.choose(networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def test_every_host_a_lab_may_have_gets_an_address_of_its_own() -> None:
    network = IPv4Network("10.213.0.0/24")
    addresses = {subnet.address(network, number) for number in range(1, 33)}
    assert len(addresses) == 32
    assert all(address in network for address in addresses)
    assert subnet.gateway(network) not in addresses
