"""`oauth-server keys list`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import msgspec

from oauth_server.cli.keys_shown import at, table
from oauth_server.keys import lifecycle
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.removed import Removed
from oauth_server.keys.served import Served
from oauth_server.keys.transitions import Policy

_ORDER = [State.ACTIVE, State.PENDING, State.RETIRING]


def as_table(
    found: Sequence[Entry],
    gone: Sequence[Removed],
    policy: Policy,
    served: Served,
    now: datetime,
) -> str:
    rows = [
        ("STATE", "KID", "ALGORITHM", "CREATED", ""),
        *(
            (
                entry.state.value,
                entry.kid,
                entry.public.algorithm.value,
                at(entry.times.created),
                _remark(entry, found, policy, served, now),
            )
            for entry in _ordered(found)
        ),
    ]
    lines = [table(rows)]
    lines += [
        f"{line.kid}: removed {at(line.removed)} ({line.reason.value}), "
        "and the store does not know yet: `keys rotate --if-due` tells it"
        for line in gone
        if line.revoked is False
    ]
    return "\n".join(lines)


def _remark(
    entry: Entry, found: Sequence[Entry], policy: Policy, served: Served, now: datetime
) -> str:
    if entry.state is State.ACTIVE:
        due = lifecycle.due(found, policy)
        since = entry.times.activated or entry.times.created
        overdue = "due since" if due is not None and due <= now else "due"
        return f"signs since {at(since)}, rotation {overdue} {at(due)}" if due else "signs"
    until = entry.until(policy.timing)
    if entry.state is State.RETIRING:
        return f"published until {at(until)}" if until else "published"
    if not entry.has_private:
        return "has no private half"
    readiness = served.readiness(entry.kid, policy.timing.publication)
    if readiness.missing:
        return f"not served yet by {', '.join(readiness.missing)}"
    return f"may sign from {at(readiness.at)}" if readiness.at else "may not sign yet"


def as_json(
    found: Sequence[Entry],
    gone: Sequence[Removed],
    policy: Policy,
    served: Served,
    _now: datetime,
) -> str:
    due = lifecycle.due(found, policy)
    document = {
        "keys": [_key(entry, policy, served) for entry in _ordered(found)],
        "removed": gone,
        "rotation_due": due,
        "server": {"checked": served.checked, "active": served.active},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _key(entry: Entry, policy: Policy, served: Served) -> dict[str, object]:
    readiness = served.readiness(entry.kid, policy.timing.publication)
    pending = entry.state is State.PENDING
    return {
        "kid": entry.kid,
        "state": entry.state.value,
        "algorithm": entry.public.algorithm.value,
        "created": entry.times.created,
        "activated": entry.times.activated,
        "retired": entry.times.retired,
        "until": entry.until(policy.timing),
        "private": entry.has_private,
        "fingerprint": entry.public.fingerprint,
        "served": served.since.get(entry.kid, {}),
        "may_sign_from": readiness.at if pending and not readiness.missing else None,
        "missing": list(readiness.missing) if pending else [],
    }


def _ordered(found: Sequence[Entry]) -> Sequence[Entry]:
    oldest = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(
        found, key=lambda e: (_ORDER.index(e.state), e.times.retired or oldest, e.times.created)
    )
