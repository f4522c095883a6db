"""`oauth-server keys emergency`: what is said, and what the store is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from oauth_server.cli.keys_shown import at, span, table
from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.fleet import announcement, members, record
from oauth_server.keys import configured, lifecycle, revoking
from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.lifecycle import Emergency
from oauth_server.keys.removed import Reason, Removed
from oauth_server.keys.revoking import Revocation
from oauth_server.keys.served import Served
from oauth_server.keys.transitions import Policy
from oauth_server.output import say, warn
from oauth_server.settings import Settings
from oauth_server.store.interface import RevocationKind

_CACHES = (
    ("PyJWT", timedelta(minutes=5)),
    ("Envoy, panva/jose", timedelta(minutes=10)),
    (".NET", timedelta(hours=12)),
)
"""How long well-known verifiers keep a key set unless they are told otherwise."""

_ACTIVE = "active"

_AGAIN = timedelta(hours=1)
"""Who says `active` once more within so long has seen an error, and means the same key."""


def resolve(named: str, found: Sequence[Entry]) -> str:
    """The kid that an operator means. Raises OperatorError."""
    if named == _ACTIVE:
        fitting = [entry.kid for entry in found if entry.is_active]
    else:
        fitting = [entry.kid for entry in found if named and entry.kid.startswith(named)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise OperatorError(f"there is no key {named}; `oauth-server keys list` names them")
    raise OperatorError(f"{named} is the beginning of several: {', '.join(fitting)}")


def already(
    named: str, found: Sequence[Entry], gone: Sequence[Removed], now: datetime
) -> str | None:
    """What an emergency before this one did to the key that is named, if it was that.

    `gone` was read after `found`: of two at once one sees what the other did. Raises OperatorError
    where it is not clear: who tries again after an error must not lose the next key, too.
    """
    emergencies = [line for line in gone if line.reason is Reason.EMERGENCY]
    if named == _ACTIVE:
        signed = [line for line in emergencies if line.activated and not line.retired]
        if signed and abs(now - signed[-1].removed) < _AGAIN:
            raise OperatorError(
                f"{signed[-1].kid} signed until {at(signed[-1].removed)}, and was removed in an "
                "emergency; to remove the key that signs now, too, name it by its kid"
            )
        return None
    if any(entry.kid.startswith(named) for entry in found):
        return None
    lines = [line for line in emergencies if named and line.kid.startswith(named)]
    return (
        f"{lines[-1].kid} was removed in an emergency at {at(lines[-1].removed)}" if lines else None
    )


def plan(kid: str, ring: Path, policy: Policy, served: Served, now: datetime) -> str:
    """What it would come to."""
    found = key_ring.read(ring, policy.algorithm)
    entry = next(entry for entry in found if entry.kid == kid)
    lines = [f"{kid} ({entry.state.value}) would be removed, and what it signed be revoked"]
    if entry.is_active:
        best = lifecycle.candidate(found, policy, served)
        if best is None:
            lines.append("a new key would sign, which no cache knows yet")
        else:
            known = best[1].holds(now)
            lines.append(
                f"{best[0].kid} would sign, which "
                + ("every cache knows" if known else "some caches may not know yet")
            )
    return "\n".join(lines)


def report(done: Emergency, policy: Policy, now: datetime) -> str:
    """What is done, and who may still believe what for how long."""
    lines = [f"{done.kid} was {_was(done.state)} and is removed: its private half is destroyed."]
    if done.state is State.ACTIVE:
        lines.append(_successor(done, now))
    if done.state is not State.PENDING:
        lines += ["", *_believers(done, policy, now)]
    return "\n".join(lines)


def _was(state: State) -> str:
    return {State.ACTIVE: "the key that signs"}.get(state, state.value)


def _successor(done: Emergency, now: datetime) -> str:
    said = f"{done.active} signs in its place."
    if done.known_from is not None and done.known_from <= now and not done.missing:
        return f"{said} Every cache knows it."
    when = "" if done.known_from is None else f" before {at(done.known_from)}"
    return (
        f"{said} Not every cache knows it{when}: a verifier that fetches the key set for a kid it "
        "does not know (most do) is not affected; another refuses new tokens until then."
    )


def _believers(done: Emergency, policy: Policy, now: datetime) -> Sequence[str]:
    timing = policy.timing
    rows = [
        ("introspection at this server", "", "refuses at once"),
        ("validators with the list of revocations", "", "refuse when they have read it: seconds"),
    ]
    ours = ("jwks_cache_max", timing.cache)
    rows += [
        (name, f"caches for {span(kept)}", f"may accept until {at(now + kept)}")
        for name, kept in (*_CACHES, ours)
    ]
    over = at(now + done.longest + timing.leeway)
    return [
        "Who may still believe a token that it signed:",
        *(f"  {row}" for row in table(rows).splitlines()),
        f"What this server signed with it has expired by {over}. Who has the key can sign more,",
        "until the last cache has forgotten it: where that is too long, restart the verifiers.",
        f"The revocation lasts until {at(now + timing.emergency(done.longest))}, and for longer if",
        "a server of the fleet is known to publish the key still: the timer sees to that.",
    ]


def finish(settings: Settings, directory: Path, served: Served) -> bool:
    """Tell the store what it must know; whether it knows all now. The next run goes on."""
    told = True
    policy = configured.policy(settings)
    for one in revoking.to_revoke(directory, policy, _now(), served):
        try:
            asyncio.run(_revoke(settings, directory, one))
        except (UnavailableError, OperatorError) as error:
            reason = error.reason if isinstance(error, UnavailableError) else str(error)
            what = (
                "what it signed must stay revoked while a server may publish it, and this could "
                "not be said"
                if one.known
                else "is removed, but what it signed is not revoked yet"
            )
            warn(
                f"{one.kid}: {what}: "
                f"{reason}; the timer tries again, and so does `oauth-server keys rotate --if-due`"
            )
            told = False
            continue
        revoking.note(directory, one)
        if not one.known:
            say(f"{one.kid}: what it signed is revoked")
    return told


async def _revoke(settings: Settings, directory: Path, one: Revocation) -> None:
    # Here and not above: other commands do without the server, and start faster.
    from oauth_server.composition.backends import open_store

    store = open_store(settings.store)
    try:
        # First the fleet: the revocation lasts as long as caches could believe the key from now on.
        fleet = members.load(Path(settings.fleet_file))
        if fleet is not None and not one.known:
            state = Path(settings.state_directory) / record.FILE
            said = announcement.of_ring(directory, state, fleet.host, settings.issuer, _now())
            await store.announce(fleet.host, said)
        await store.revoke(RevocationKind.KEY, one.kid, until=int(one.until.timestamp()) + 1)
    finally:
        await store.close()


def _now() -> datetime:
    return datetime.now(timezone.utc)
