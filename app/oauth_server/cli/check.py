"""`oauth-server check`: are the files as the server wants them?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence, Sized
from datetime import datetime, timezone
from pathlib import Path

from oauth_server import certificate, clients, settings, users
from oauth_server.cli.parsing import Commands, command, config_option, path
from oauth_server.errors import OperatorError
from oauth_server.fleet import members
from oauth_server.keys import configured
from oauth_server.keys import ring as key_ring
from oauth_server.output import say
from oauth_server.settings import Settings


def add_to(commands: Commands) -> None:
    check = command(
        commands, "check", _check, "validate settings, clients, users, keys, certificate"
    )
    config_option(check, None)
    check.add_argument("--clients", type=path, metavar="FILE", help="clients to check")
    check.add_argument("--users", type=path, metavar="FILE", help="users to check")
    check.add_argument(
        "--keys", type=path, metavar="DIR", help="keys directory, to check for --config's algorithm"
    )
    check.add_argument("--fleet", type=path, metavar="FILE", help="servers of a fleet, to check")


def _check(options: argparse.Namespace) -> int:
    """Each that is named; all of the running server's if none is."""
    problems: list[str] = []
    config, registered, people = options.config, options.clients, options.users
    keys = options.keys
    if keys is not None and config is None:
        raise OperatorError("--keys goes with --config, which names the algorithm")
    fleet = options.fleet
    all_of_them = config is None and registered is None and people is None and fleet is None
    if all_of_them:
        config = settings.DEFAULT_PATH
    if config is not None:
        try:
            named = settings.load(config)
        except OperatorError as error:
            problems += error.problems
        else:
            say(f"{config}: OK")
            if all_of_them:
                registered, people = Path(named.clients_file), Path(named.users_file)
                keys = Path(named.keys_directory)
            if keys is not None:
                problems += _problems_of_keys(keys, named)
            if all_of_them:
                problems += _problems_of_certificate(named)
                fleet = Path(named.fleet_file)
    if fleet is not None:
        problems += _problems_of_fleet(fleet)
    client_ids: clients.Clients = {}
    if registered is not None:
        try:
            client_ids = clients.load(registered)
        except OperatorError as error:
            problems += error.problems
        else:
            say(f"{registered}: OK, {_counted(client_ids, 'client')}")
    if people is not None:
        try:
            listed = users.load(people)
            users.check_apart(people, listed, client_ids)
        except OperatorError as error:
            problems += error.problems
        else:
            say(f"{people}: OK, {_counted(listed, 'user')}")
    if problems:
        raise OperatorError(*problems)
    return 0


def _problems_of_keys(keys: Path, named: Settings) -> Sequence[str]:
    algorithm = named.signing.algorithm
    try:
        ring = key_ring.load(keys, algorithm, configured.source(named))
    except OperatorError as error:
        return error.problems
    if ring.active is None:
        say(f"{keys}: OK, no key signs yet: this host has joined a fleet")
        return ()
    signs = ring.active.public
    change = "" if signs.algorithm is algorithm else f"; a rotation changes to {algorithm.value}"
    say(f"{keys}: OK, {signs.kid} signs with {signs.algorithm.value}{change}")
    return ()


def _problems_of_certificate(named: Settings) -> Sequence[str]:
    """What clients refuse is said and is no problem: the server serves it all the same."""
    try:
        loaded = certificate.load(named)
    except OperatorError as error:
        return error.problems
    faults = list(loaded.faults(named.issuer, datetime.now(timezone.utc)))
    for line in faults or [f"{named.certificate}: OK, expires on {loaded.expires:%Y-%m-%d}"]:
        say(line)
    return ()


def _problems_of_fleet(path: Path) -> Sequence[str]:
    try:
        fleet = members.load(path)
    except OperatorError as error:
        return error.problems
    if fleet is not None:
        say(f"{path}: OK, {fleet.host} and {_counted(fleet.others, 'other host')}")
    return ()


def _counted(listed: Sized, noun: str) -> str:
    return f"{len(listed)} {noun}{'' if len(listed) == 1 else 's'}"
