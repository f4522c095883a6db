"""Who keeps a host's entrance, and what our own table says."""

from __future__ import annotations

import pytest

from roles.firewall.policy import Keeper, Networks, Opening, closed, keeper, openings, table
from roles.firewall.survey import FirewallSurvey, Listener, Survey
from roles.hostdata.firewall import FirewallData, OpenPortData
from roles.platform import Platform
from roles.topology import Fleet, Member, Place

_SERVER, _GATEWAY, _STATE = (
    Member("s", "192.0.2.1"),
    Member("g", "2001:db8::2"),
    Member("r", "192.0.2.3"),
)
_FLEET = Fleet((_SERVER,), (_GATEWAY,), _STATE)


def _place(member: Member) -> Place:
    return Place(member.name, member == _SERVER, member == _GATEWAY, member == _STATE, fleet=_FLEET)


@pytest.mark.parametrize(
    ("platform", "survey", "close", "ufw", "expected"),
    [
        pytest.param(Platform.DEBIAN_12, Survey(), True, False, Keeper.OURS, id="debian"),
        pytest.param(Platform.DEBIAN_12, Survey(), True, True, Keeper.UFW, id="debian-with-ufw"),
        pytest.param(
            *(Platform.DEBIAN_12, Survey(firewalld=True), True, False, Keeper.FIREWALLD),
            id="debian-with-firewalld",
        ),
        pytest.param(
            *(Platform.DEBIAN_12, Survey(drops=True), True, False, Keeper.OTHERS),
            id="debian-with-rules-that-drop",
        ),
        pytest.param(Platform.DEBIAN_12, Survey(), False, False, Keeper.OTHERS, id="left"),
        pytest.param(Platform.UBUNTU_22_04, Survey(), True, False, Keeper.UFW, id="ubuntu"),
        pytest.param(
            *(Platform.UBUNTU_24_04, Survey(drops=True), True, True, Keeper.UFW),
            id="ufw-drops-itself",
        ),
        pytest.param(Platform.EL_9, Survey(), True, False, Keeper.FIREWALLD, id="el"),
        pytest.param(
            *(Platform.EL_9, Survey(drops=True), True, False, Keeper.OTHERS), id="el-dropping"
        ),
        pytest.param(
            *(Platform.EL_9, Survey(firewalld=True), False, False, Keeper.FIREWALLD),
            id="el-firewalld-is-on-and-told",
        ),
    ],
)  # fmt: skip
def test_what_is_on_is_used(
    platform: Platform, survey: Survey, close: bool, ufw: bool, expected: Keeper
) -> None:
    assert keeper(survey, platform, close=close, ufw_is_on=ufw) is expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (_SERVER, [Opening(8443)]),
        (_GATEWAY, [Opening(443)]),
        (_STATE, [Opening(6379, sources=("192.0.2.1",))]),
    ],
)
def test_a_fleets_host_opens_what_it_is_for(member: Member, expected: list[Opening]) -> None:
    assert openings(_place(member), FirewallData()) == expected


def test_a_server_for_some_lets_the_gateways_in_as_well() -> None:
    data = FirewallData(server_sources=("10.0.0.0/8",))
    assert openings(_place(_SERVER), data) == [Opening(8443, sources=("10.0.0.0/8", "2001:db8::2"))]


def test_what_is_open_already_is_not_named_twice() -> None:
    data = FirewallData(open=(OpenPortData(port=443), OpenPortData(port=53, protocol="udp")))
    assert openings(Place("here"), data, (80,)) == [
        *(Opening(80), Opening(443), Opening(8443)),
        Opening(53, "udp"),
    ]


def _table(
    data: FirewallData | None = None,
    *,
    tracks: bool = False,
    ssh: tuple[int, ...] | None = None,
    exempt: tuple[str, ...] = (),
) -> str:
    data = data or FirewallData()
    wanted = openings(Place("here"), data)
    return table(wanted, data, exempt=exempt, tracks=tracks, ssh=ssh)


def test_sshd_is_let_in_wherever_it_listens_and_all_else_is_dropped() -> None:
    data = FirewallData(open=(OpenPortData(port=9100), OpenPortData(port=161, protocol="udp")))
    text = _table(data, ssh=(22, 2222))
    assert "policy drop;" in text
    assert "tcp dport { 22, 443, 2222, 8443, 9100 } accept" in text
    assert "udp dport { 161 } accept" in text


def test_who_keeps_another_entrance_gets_the_limits_alone() -> None:
    assert "policy drop" not in _table()
    assert "ct count over 1024" in _table()
    assert "limit rate over 200/second burst 1000 packets" in _table()


def test_where_others_need_conntrack_no_handshake_passes_it_by() -> None:
    """Nor are open connections counted: who forges first packets would fill another's number."""
    text = _table(tracks=True)
    assert "notrack" not in text
    assert "ct count" not in text
    assert "limit rate over 200/second" in text


@pytest.mark.parametrize(
    ("data", "lacks"),
    [
        (FirewallData(connections_per_source=0), "ct count"),
        (FirewallData(new_connections_per_second=0), "limit rate"),
    ],
)
def test_a_limit_of_zero_is_none(data: FirewallData, lacks: str) -> None:
    assert lacks in _table()
    assert lacks not in _table(data)


def test_a_port_for_some_is_closed_to_others_of_both_versions_of_ip() -> None:
    one = OpenPortData(port=9100, sources=("192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32"))
    text = _table(FirewallData(open=(one,)))
    assert "        tcp dport 9100 jump only_tcp_9100\n" in text
    assert (
        "    chain only_tcp_9100 {\n"
        "        ip saddr { 192.0.2.0/24 } return\n"
        "        ip6 saddr { 2001:db8::/32 } return\n"
        "        counter drop\n"
    ) in text


def test_networks_that_overlap_become_one() -> None:
    found = Networks.of(["10.0.0.0/8", "10.1.2.3", "fd00::1", "fd00::/64"])
    assert found == Networks(["10.0.0.0/8"], ["fd00::/64"])


def test_who_would_be_heard_no_more_is_named() -> None:
    survey = Survey(
        listeners=(
            *(Listener("tcp", 22, "sshd"), Listener("tcp", 443, "nginx")),
            *(Listener("tcp", 9100, "node_exporter"), Listener("udp", 443, "other")),
            Listener("udp", 68, "dhclient"),
        )
    )
    found = closed(survey, [Opening(443), Opening(8443)], ssh=(22,))
    assert found == [Listener("tcp", 9100, "node_exporter"), Listener("udp", 443, "other")]


def test_the_survey_tells_listeners_and_rules_apart() -> None:
    told = [
        *("ssh 22", "ssh 2222", "listen t 8022 0.0.0.0 by=sshd", "listen t 22 [::] by=sshd"),
        *("listen t 6379 127.0.0.1 by=redis", "listen u 323 [::1] by=chronyd"),
        *("listen u 161 *", "firewalld", "drops", "tracks"),
    ]
    found = FirewallSurvey().process(told)
    assert found.ssh == (22, 2222, 8022)
    assert found.listeners == (
        *(Listener("tcp", 8022, "sshd"), Listener("tcp", 22, "sshd")),
        Listener("udp", 161, ""),
    )
    assert (found.firewalld, found.drops, found.tracks, found.entrance) == (True, True, True, False)


def test_where_conntrack_begins_with_no_packet_but_a_syn_all_are_tracked() -> None:
    """Else the packet after it would be an unknown one (nf_conntrack_tcp_loose=0)."""
    assert FirewallSurvey().process(["strict"]).tracks
