"""`oauth-server keys`: the signing keys' whole life."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from oauth_server import settings
from oauth_server.cli import keys_emergency, keys_fleet, keys_list, keys_verify, owner
from oauth_server.cli.keys_shown import at
from oauth_server.cli.parsing import Commands, command, config_option, group, path
from oauth_server.errors import OperatorError
from oauth_server.fleet import members
from oauth_server.keys import configured, lifecycle, removed, served
from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import State
from oauth_server.keys.layout import RING
from oauth_server.keys.lifecycle import NotReadyError
from oauth_server.keys.served import Served
from oauth_server.keys.transitions import Policy
from oauth_server.output import say, warn
from oauth_server.settings import Settings

_LATE = timedelta(days=7)
"""A rotation that is due waits for so long for who has not served the key, before it fails."""

_LOOK_AGAIN = 2.0


def add_to(commands: Commands) -> None:
    of_keys = group(commands, "keys", "signing keys")
    init = command(of_keys, "init", _init, "make what a ring lacks; print the kid that signs")
    config_option(init, settings.DEFAULT_PATH)
    init.add_argument("--dir", type=path, metavar="DIR", help="keys directory, for an RS256 key")
    init.add_argument(
        "--joining",
        action="store_true",
        help="a first key is published, and signs when the whole fleet has served it",
    )
    listing = command(of_keys, "list", _list, "the keys, their states and times")
    _json_option(listing)
    rotate = command(of_keys, "rotate", _rotate, "let the pending key sign")
    rotate.add_argument(
        "--if-due", action="store_true",
        help="only when signing.rotation_days have passed; as the timer does",
    )  # fmt: skip
    rotate.add_argument(
        "--without", action="append", default=[], metavar="HOST",
        help="do not wait for this server of the fleet (repeatable)",
    )  # fmt: skip
    rotate.add_argument(
        "--wait", type=_seconds, default=0, metavar="SECONDS",
        help="until the pending key may sign, for so long at most",
    )  # fmt: skip
    retire = command(of_keys, "retire", _retire, "remove keys whose last token has expired")
    verify = command(
        of_keys, "verify", _verify, "prove that files, running server and key set are one"
    )
    _json_option(verify)
    keys_verify.add_options(verify)
    emergency = command(
        of_keys, "emergency", _emergency, "remove a key now, and revoke what it signed"
    )
    emergency.add_argument(
        "key", metavar="KEY",
        help="`active`, a kid, or its beginning (after -- if that begins with -)",
    )  # fmt: skip
    keys_fleet.add_to(of_keys)
    for changing in (rotate, retire, emergency):
        changing.add_argument(
            "--dry-run", action="store_true", help="say what would be done, and do nothing"
        )
    for parser in (listing, rotate, retire, verify, emergency):
        config_option(parser, settings.DEFAULT_PATH)


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text):
        raise argparse.ArgumentTypeError("must be a number of seconds")
    return int(text)


@dataclass(frozen=True)
class Keys:
    """What a command works with, as the owner of the keys."""

    settings: Settings
    policy: Policy
    directory: Path

    @property
    def ring(self) -> Path:
        return self.directory / RING

    def served(self) -> Served:
        fleet = members.load(Path(self.settings.fleet_file))
        hosts = [served.SELF] if fleet is None else fleet.hosts
        return served.load(Path(self.settings.state_directory) / served.FILE, hosts)


def _opened(options: argparse.Namespace) -> Keys:
    named = settings.load(options.config)
    directory = Path(named.keys_directory)
    policy, token = configured.policy(named), named.signing.pkcs11
    policy.source.prepare()
    owner.become(directory, named.store.socket, () if token is None else token.groups)
    return Keys(named, policy, directory)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _init(options: argparse.Namespace) -> int:
    if options.dir is not None:
        owner.become(options.dir)
        directory, policy = options.dir, Policy()
    else:
        keys = _opened(options)
        directory, policy = keys.directory, keys.policy
    kid, notes = lifecycle.init(directory, policy, _now(), joining=options.joining)
    _note(notes)
    say(kid)
    return 0


def _list(options: argparse.Namespace) -> int:
    keys = _opened(options)
    found = key_ring.read(keys.ring, keys.policy.algorithm)
    gone = removed.load(keys.directory)
    shown = keys_list.as_json if options.json else keys_list.as_table
    say(shown(found, gone, keys.policy, keys.served(), _now()))
    return 0


def _rotate(options: argparse.Namespace) -> int:
    keys = _opened(options)
    if not keys.ring.is_dir():
        raise OperatorError(f"{keys.ring}: there is none; `oauth-server keys init` makes it")
    _check_others(options.without, keys)
    if options.dry_run:
        return _would_rotate(keys, options)
    revoked = keys_emergency.finish(keys.settings, keys.directory, keys.served())
    if options.if_due:
        _note(lifecycle.prepare(keys.directory, keys.policy, _now()))
        when = _due(keys)
        if when > _now():
            say(f"not due before {at(when)}")
            return 0 if revoked else 1
        try:
            return _rotated(keys, options.without, 0) if revoked else 1
        except NotReadyError as error:
            if _now() - max(when, _possible(keys)) >= _LATE:
                raise OperatorError(*error.problems, f"due since {at(when)}") from None
            say(f"due since {at(when)}, not yet done: {error}")
            return 0 if revoked else 1
    return max(_rotated(keys, options.without, options.wait), 0 if revoked else 1)


def _check_others(named: Collection[str], keys: Keys) -> None:
    """This server is none of them: what it does not publish must not sign. Raises OperatorError."""
    fleet = members.load(Path(keys.settings.fleet_file))
    others = [] if fleet is None else [member.host for member in fleet.others]
    for host in named:
        if host not in others:
            which = ", ".join(others) or "there is none"
            raise OperatorError(f"--without {host}: is no other server of the fleet ({which})")


def _rotated(keys: Keys, without: Collection[str], wait: int) -> int:
    signs = next((e.kid for e in key_ring.read(keys.ring) if e.is_active), None)
    end = time.monotonic() + wait
    while True:
        try:
            done = lifecycle.rotate(
                keys.directory, keys.policy, _now(), keys.served(), without=without, expected=signs
            )
            break
        except NotReadyError:
            if time.monotonic() >= end:
                raise
            time.sleep(min(_LOOK_AGAIN, max(end - time.monotonic(), 0)))
    _note(done.notes)
    if not done.happened:
        say(f"{done.active} signs: somebody else has just rotated")
    elif done.previous is None:
        say(f"{done.active} signs")
    else:
        say(f"{done.active} signs; {done.previous} stays published until its tokens have expired")
    return 0


def _due(keys: Keys) -> datetime:
    found = key_ring.read(keys.ring, keys.policy.algorithm)
    when = lifecycle.due(found, keys.policy)
    # A host that has joined rotates as soon as it may.
    return _possible(keys) if when is None else when


def _possible(keys: Keys) -> datetime:
    """When the oldest pending key could have signed, had every server served it at once.

    In a ring of an older version the active key may be overdue from the first moment on.
    """
    found = key_ring.read(keys.ring, keys.policy.algorithm)
    made = [entry.times.created for entry in found if entry.state is State.PENDING]
    return min(made, default=_now()) + keys.policy.timing.publication


def _would_rotate(keys: Keys, options: argparse.Namespace) -> int:
    when = _due(keys)
    if options.if_due and when > _now():
        say(f"not due before {at(when)}")
        return 0
    found = lifecycle.candidate(
        key_ring.read(keys.ring, keys.policy.algorithm), keys.policy, keys.served(), options.without
    )
    if found is None:
        raise OperatorError("there is no pending key: it would be made, and sign at a later time")
    new, readiness = found
    if not readiness.holds(_now()):
        raise NotReadyError(lifecycle.why_not(new, readiness), new.kid, readiness)
    say(f"{new.kid} would sign")
    return 0


def _retire(options: argparse.Namespace) -> int:
    keys = _opened(options)
    if options.dry_run:
        found = key_ring.read(keys.ring, keys.policy.algorithm)
        over = [e.kid for e in found if lifecycle.is_over(e, keys.policy, _now())]
        say("\n".join(f"{kid} would be removed" for kid in over) or "no key is to be removed")
        return 0
    done = lifecycle.retire(keys.directory, keys.policy, _now())
    _note(done.notes)
    say("\n".join(f"{kid} was removed" for kid in done.removed) or "no key is to be removed")
    return 0


def _verify(options: argparse.Namespace) -> int:
    keys = _opened(options)
    return keys_verify.run(
        keys_verify.Subject(keys.settings, keys.policy, keys.directory, options.metrics,
                            options.server),
        as_json=options.json,
    )  # fmt: skip


def _emergency(options: argparse.Namespace) -> int:
    keys = _opened(options)
    # First what an earlier one had to leave: it was killed, or the store was away.
    told = options.dry_run or keys_emergency.finish(keys.settings, keys.directory, keys.served())
    found = key_ring.read(keys.ring, keys.policy.algorithm)
    done_before = keys_emergency.already(options.key, found, removed.load(keys.directory), _now())
    if done_before is not None:
        say(done_before)
        return 0 if told else 1
    kid = keys_emergency.resolve(options.key, found)
    if options.dry_run:
        say(keys_emergency.plan(kid, keys.ring, keys.policy, keys.served(), _now()))
        return 0
    now = _now()
    done = lifecycle.emergency(keys.directory, keys.policy, now, keys.served(), kid)
    _note(done.notes)
    try:
        say(keys_emergency.report(done, keys.policy, now))
    finally:  # even if nobody can read it
        told = keys_emergency.finish(keys.settings, keys.directory, keys.served())
    return 0 if told else 1


def _note(notes: Collection[str]) -> None:
    for note in notes:
        warn(note)
