from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from oauth_server.http.crowd import Crowd, Limits


@dataclass(eq=False)
class Visitor:
    answers: int = 0
    is_busy: bool = False
    is_out: bool = False

    def turn_away(self) -> None:
        self.is_out = True


def crowd(total: int = 100, per_source: int = 3, *exempt: str) -> Crowd:
    return Crowd(Limits(total, per_source, tuple(map(ip_network, exempt))))


def entered(among: Crowd, *hosts: str) -> list[Visitor]:
    visitors = [Visitor() for _ in hosts]
    for visitor, host in zip(visitors, hosts, strict=True):
        assert among.enter(visitor, host)
    return visitors


def test_a_source_pays_for_its_surplus_with_who_was_silent_for_longest() -> None:
    among = crowd()
    first, second, *_ = entered(among, *["192.0.2.1"] * 3)
    other = entered(among, "192.0.2.2")
    entered(among, *["192.0.2.1"] * 2)
    assert first.is_out
    assert second.is_out
    assert not other[0].is_out
    assert (len(among), among.turned_away) == (4, 2)


def test_who_waits_for_an_answer_stays() -> None:
    among = crowd()
    visitors = entered(among, *["192.0.2.1"] * 3)
    visitors[0].is_busy = True
    entered(among, "192.0.2.1")
    assert [visitor.is_out for visitor in visitors] == [False, True, False]


def test_who_was_answered_meanwhile_is_not_the_one_that_was_silent_for_longest() -> None:
    among = crowd()
    visitors = entered(among, *["192.0.2.1"] * 3)
    visitors[0].answers = 1
    entered(among, "192.0.2.1")
    assert [visitor.is_out for visitor in visitors] == [False, True, False]
    entered(among, "192.0.2.1")
    assert [visitor.is_out for visitor in visitors] == [False, True, True]
    entered(among, "192.0.2.1", "192.0.2.1")
    assert visitors[0].is_out  # what it had got was long ago


def test_a_newcomer_is_refused_where_all_wait_for_answers() -> None:
    among = crowd()
    for visitor in entered(among, *["192.0.2.1"] * 3):
        visitor.is_busy = True
    assert not among.enter(Visitor(), "192.0.2.1")
    assert among.enter(Visitor(), "192.0.2.2")


def test_when_all_are_too_many_whoever_has_most_pays() -> None:
    among = crowd(total=5)
    lonely = entered(among, "192.0.2.1")
    greedy = entered(among, *["192.0.2.2"] * 3)
    entered(among, "192.0.2.3", "192.0.2.4")
    assert greedy[0].is_out
    assert not lonely[0].is_out


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("2001:db8::1", "2001:db8::ffff:1", True, id="one-network-of-64-bits"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="another-one"),
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", True, id="ipv4-on-a-dual-stack-socket"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="another-ipv4-address"),
        pytest.param("fe80::1%eth0", "fe80::1%eth1", True, id="whatever-the-zone"),
    ],
)
def test_a_source_is_what_one_person_can_have(one: str, other: str, same: bool) -> None:
    among = crowd(per_source=1)
    first = entered(among, one)
    entered(among, other)
    assert first[0].is_out is same


def test_a_trusted_proxy_is_not_counted_and_its_neighbour_is() -> None:
    among = crowd(100, 1, "192.0.2.1", "2001:db8::1")
    trusted = entered(among, *["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] * 2)
    assert not any(visitor.is_out for visitor in trusted)
    assert len(among) == 0
    neighbour = entered(among, "2001:db8::2", "2001:db8::3")
    assert neighbour[0].is_out


def test_who_left_is_not_counted_any_more_and_leaves_once() -> None:
    among = crowd(per_source=1)
    (first,) = entered(among, "192.0.2.1")
    among.leave(first)
    among.leave(first)
    entered(among, "192.0.2.1")
    assert not first.is_out
    assert len(among) == 1


def test_lower_limits_hold_for_who_comes_next() -> None:
    among = crowd()
    entered(among, *["192.0.2.1"] * 3)
    among.limits = Limits(100, 1)
    entered(among, "192.0.2.1")
    assert among.turned_away == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_books_are_right_whoever_comes_and_goes(seed: int) -> None:
    """Against the plainest way to count."""
    chance = random.Random(seed)  # noqa: S311
    among = crowd(total=40, per_source=8)
    inside: dict[Visitor, str] = {}
    for _ in range(3000):
        if chance.random() < 0.6:
            visitor = Visitor(is_busy=chance.random() < 0.1)
            host = f"192.0.2.{min(int(chance.expovariate(0.2)), 200)}"
            before = Counter(inside.values())
            if among.enter(visitor, host):
                inside[visitor] = host
            for out in [other for other in inside if other.is_out]:
                where = inside.pop(out)
                assert (where == host and before[host] == 8) or (
                    sum(before.values()) == 40 and before[where] == max(before.values())
                )
        elif inside:
            gone = chance.choice(list(inside))
            among.leave(gone)
            del inside[gone]
        assert len(among) == len(inside) <= 40
        assert max(Counter(inside.values()).values(), default=0) <= 8
    for visitor in inside:
        among.leave(visitor)
    assert len(among) == 0
