from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from oauth_server.fleet.members import Fleet
from oauth_server.fleet.statement import StatementError
from oauth_server.fleet.union import Union
from oauth_server.keys import jwk
from oauth_server.models import Algorithm
from tests.unit.oauth_server.fleet.hosts import DAY, HOUR, ISSUER, NOW, SECOND, Host, key

GRACE = timedelta(hours=13)


def union(*hosts: Host, fleet: Fleet | None = None) -> Union:
    made = Union(ISSUER, {}, timedelta(seconds=30))
    made.pin(fleet or Fleet("self", tuple(host.member() for host in hosts)), NOW)
    return made


def kids(of: Union, own: tuple[str, ...] = (), banned: tuple[str, ...] = ()) -> set[str]:
    return {public.kid for public in of.published(own, banned)}


def reason(of: Union, host: str, text: str, now: datetime = NOW) -> str:
    with pytest.raises(StatementError) as refused:
        of.offer(host, text, now)
    return refused.value.reason


def test_everybodys_keys_are_published() -> None:
    one, two = Host("one"), Host("two")
    fleet = union(one, two)
    assert kids(fleet) == set()
    assert fleet.offer("one", one.says(), NOW)
    assert fleet.offer("two", two.says(), NOW)
    assert kids(fleet) == one.kids | two.kids
    assert fleet.serves() == {"one": one.kids, "two": two.kids}


def test_a_host_that_is_not_pinned_is_not_heard() -> None:
    """Write access to the store adds no key."""
    one, stranger = Host("one"), Host("stranger")
    fleet = union(one)
    assert reason(fleet, "stranger", stranger.says()) == "host"
    assert reason(fleet, "one", stranger.says()) == "identity"
    assert kids(fleet) == set()


def test_an_old_statement_is_not_believed_again() -> None:
    """It may have a key that was removed in an emergency since."""
    one = Host("one")
    fleet = union(one)
    old = one.says()
    one.keys = [key()]
    assert fleet.offer("one", one.says(NOW + SECOND), NOW + SECOND)
    assert reason(fleet, "one", old, NOW + SECOND) == "sequence"
    assert kids(fleet) == one.kids


def test_the_same_statement_says_nothing_new() -> None:
    one = Host("one")
    fleet = union(one)
    text = one.says()
    assert fleet.offer("one", text, NOW)
    assert not fleet.offer("one", text, NOW)


def test_a_host_that_is_away_stays_published() -> None:
    """Its tokens are good, and its caches must know its key when it is back."""
    one = Host("one")
    fleet = union(one)
    fleet.offer("one", one.says(), NOW)
    fleet.expire(NOW + 400 * DAY, GRACE)
    assert kids(fleet) == one.kids


def test_what_the_deploy_saw_counts_until_the_host_says_more() -> None:
    one = Host("one")
    seen = (key(),)
    fleet = union(fleet=Fleet("self", (one.member(seen, NOW),)))
    assert kids(fleet) == {seen[0].kid}
    assert reason(fleet, "one", one.says(NOW - SECOND)) == "sequence"
    assert fleet.offer("one", one.says(NOW + SECOND), NOW + SECOND)
    assert kids(fleet) == one.kids
    # The same file, read once more at a reload.
    fleet.pin(Fleet("self", (one.member(seen, NOW),)), NOW + HOUR)
    assert kids(fleet) == one.kids
    later = (key(),)
    fleet.pin(Fleet("self", (one.member(later, NOW + HOUR),)), NOW + HOUR)
    assert kids(fleet) == {later[0].kid}


def test_a_host_that_left_is_published_until_its_last_token_has_expired() -> None:
    one, two = Host("one"), Host("two")
    fleet = union(one, two)
    fleet.offer("one", one.says(), NOW)
    fleet.offer("two", two.says(), NOW)
    fleet.pin(Fleet("self", (two.member(),)), NOW)
    assert reason(fleet, "one", one.says(NOW + HOUR), NOW + HOUR) == "host"
    assert fleet.serves() == {"two": two.kids}
    fleet.expire(NOW + GRACE - SECOND, GRACE)
    assert kids(fleet) == one.kids | two.kids
    fleet.expire(NOW + GRACE, GRACE)
    assert kids(fleet) == two.kids


def test_leaving_is_counted_from_the_first_time_that_it_was_seen() -> None:
    one = Host("one")
    fleet = union(one)
    fleet.offer("one", one.says(), NOW)
    fleet.pin(None, NOW)
    again = Union(ISSUER, fleet.records, timedelta(0))
    again.pin(None, NOW + HOUR)
    again.expire(NOW + GRACE, GRACE)
    assert kids(again) == set()


def test_a_host_that_comes_back_is_there_as_before() -> None:
    one = Host("one")
    fleet = union(one)
    fleet.offer("one", one.says(), NOW)
    fleet.pin(None, NOW)
    fleet.pin(Fleet("self", (one.member(),)), NOW + HOUR)
    fleet.expire(NOW + 2 * GRACE, GRACE)
    assert kids(fleet) == one.kids
    assert reason(fleet, "one", one.says(NOW - SECOND)) == "sequence"


def test_a_host_that_was_made_anew_is_another_one() -> None:
    """Its old keys stay as those of one that left; its old identity is believed no more."""
    old, new = Host("one"), Host("one")
    fleet = union(old)
    fleet.offer("one", old.says(), NOW)
    fleet.pin(Fleet("self", (new.member(),)), NOW)
    assert reason(fleet, "one", old.says(NOW + SECOND), NOW + SECOND) == "identity"
    assert fleet.offer("one", new.says(), NOW)
    assert kids(fleet) == old.kids | new.kids
    fleet.expire(NOW + GRACE, GRACE)
    assert kids(fleet) == new.kids


def test_an_own_key_and_one_that_was_removed_in_an_emergency_are_not_taken_from_others() -> None:
    one = Host("one")
    fleet = union(one)
    fleet.offer("one", one.says(), NOW)
    first, second = one.keys
    assert kids(fleet, own=(first.kid,)) == {second.kid}
    assert kids(fleet, banned=(first.kid,)) == {second.kid}


@pytest.mark.parametrize("owner", [0, 1])
def test_a_member_cannot_take_anothers_key_over_for_another_algorithm(owner: int) -> None:
    """The owner's tokens would be refused (RFC 8725 §3.1), whichever identity sorts first."""
    hosts = sorted((Host("one"), Host("two")), key=lambda host: host.identity.public.thumbprint)
    victim, thief = hosts[owner], hosts[1 - owner]
    victim.keys = [key(Algorithm.RS256)]
    stolen = jwk.read({**victim.keys[0].to_jwk(), "alg": "PS256"})
    thief.keys = [stolen, key()]
    fleet = union(victim, thief)
    fleet.offer(victim.name, victim.says(), NOW)
    fleet.offer(thief.name, thief.says(), NOW)
    found = {public.kid: public.algorithm for public in fleet.published(())}
    assert found == {
        victim.keys[0].kid: Algorithm.RS256,
        thief.keys[1].kid: Algorithm.EDDSA,
    }


def test_what_the_deploy_saw_takes_no_key_over_either() -> None:
    # The thief's identity sorts first.
    thief, victim = sorted(
        (Host("one"), Host("two")), key=lambda host: host.identity.public.thumbprint
    )
    victim.keys = [key(Algorithm.RS256)]
    stolen = jwk.read({**victim.keys[0].to_jwk(), "alg": "PS256"})
    fleet = union(victim)
    fleet.offer(victim.name, victim.says(), NOW)
    fleet.pin(Fleet("self", (victim.member(), thief.member((stolen,), NOW))), NOW)
    (found,) = fleet.published(())
    assert found.algorithm is Algorithm.RS256


def test_a_host_with_a_new_identity_keeps_its_keys() -> None:
    """They outlive the grace of the old identity, which named the same ones."""
    old = Host("one", keys=[key(Algorithm.RS256)])
    new = Host("one", keys=old.keys)
    fleet = union(old)
    fleet.offer("one", old.says(), NOW)
    fleet.pin(Fleet("self", (new.member(),)), NOW)
    fleet.offer("one", new.says(NOW + SECOND), NOW + SECOND)
    fleet.expire(NOW + GRACE, GRACE)
    assert kids(fleet) == new.kids


@pytest.mark.parametrize("whose", ["one", "two"])
def test_an_identity_cannot_sign_an_access_token(whose: str) -> None:
    """It is published by nobody, even if a member announces it, its own or another's."""
    hosts = {name: Host(name) for name in ("one", "two")}
    hosts["two"].keys = [hosts[whose].identity.public]
    fleet = union(*hosts.values())
    fleet.offer("two", hosts["two"].says(), NOW)
    assert kids(fleet) == set()


def test_who_has_said_nothing_serves_nothing() -> None:
    fleet = union(Host("one"))
    assert fleet.serves() == {"one": ()}
    assert dict(fleet.heard()) == {"one": 0.0}


def test_last_words_that_are_too_old_add_no_key_and_take_away_what_they_lack() -> None:
    """A host was down for an emergency, and the one that had it is away by now."""
    one = Host("one")
    fleet = union(one)
    fleet.offer("one", one.says(), NOW)
    kept, removed = one.keys
    one.keys = [kept, key()]
    last = one.says(NOW + HOUR)
    assert fleet.offer("one", last, NOW + 3 * DAY)
    assert kids(fleet) == {kept.kid}
    assert removed.kid not in kids(fleet)
    # Not a second time, and what was said before is still before.
    assert not fleet.offer("one", last, NOW + 3 * DAY)
    assert reason(fleet, "one", one.says(NOW + SECOND), NOW + HOUR) == "sequence"
    # Who has never heard of the host is told nothing by it.
    assert reason(union(one), "one", last, NOW + 3 * DAY) == "expired"
