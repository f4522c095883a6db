"""`oauth-server check`: are the files as the server wants them?"""

from __future__ import annotations

import argparse
from pathlib import Path

from oauth_server import clients, settings, users
from oauth_server.cli.parsing import Commands, command, config_option, path
from oauth_server.errors import OperatorError
from oauth_server.output import say


def add_to(commands: Commands) -> None:
    check = command(commands, "check", _check, "validate settings, clients and users")
    config_option(check, None)
    check.add_argument("--clients", type=path, metavar="FILE", help="clients to check")
    check.add_argument("--users", type=path, metavar="FILE", help="users to check")


def _check(options: argparse.Namespace) -> int:
    """Each file that is named; the running server's three if none is."""
    problems: list[str] = []
    config, registered, people = options.config, options.clients, options.users
    all_of_them = config is None and registered is None and people is None
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
    client_ids: clients.Clients = {}
    if registered is not None:
        try:
            client_ids = clients.load(registered)
        except OperatorError as error:
            problems += error.problems
        else:
            say(f"{registered}: OK, {len(client_ids)} clients")
    if people is not None:
        try:
            listed = users.load(people)
            users.check_apart(people, listed, client_ids)
        except OperatorError as error:
            problems += error.problems
        else:
            say(f"{people}: OK, {len(listed)} users")
    if problems:
        raise OperatorError(*problems)
    return 0
