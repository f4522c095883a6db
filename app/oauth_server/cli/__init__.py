"""The command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from oauth_server import __version__, settings
from oauth_server.cli import check, keys, users
from oauth_server.cli.parsing import command, config_option, dashed_kids_last, group, port
from oauth_server.errors import OperatorError
from oauth_server.output import say, warn
from oauth_server.protocol import client_secret

_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if it went well, 1 if an operator must put something right, 2 for a wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(dashed_kids_last(given))
    try:
        run: int = options.run(options)
    except OperatorError as error:
        for problem in error.problems:
            warn(problem)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run


def _serve(options: argparse.Namespace) -> int:
    # A rotated log or a reload that is announced while we start must not kill us; the loop hears of
    # it later.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP})
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    # Here and not above: the other commands do without the web framework, and start faster.
    from oauth_server import dev
    from oauth_server.composition.server import activated

    if options.dev:
        server = dev.server(options.port if options.port is not None else 8000)
    elif options.port is not None:
        raise OperatorError("--port goes with --dev: systemd holds the server's sockets otherwise")
    else:
        server = activated(options.config)
    asyncio.run(server.run())
    return 0


def _clients_secret(_: argparse.Namespace) -> int:
    secret = client_secret.generate()
    say(f"client_secret: {secret}\nclient_secret_hash: {client_secret.digest(secret)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oauth-server", description="An OAuth2 authorization server.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    serve = command(commands, "serve", _serve, "serve on the sockets that systemd passes")
    serve.add_argument(
        "--dev", action="store_true", help="on loopback, with a temporary key and client"
    )
    serve.add_argument("--port", type=port, help="for --dev (8000; 0 is any)")
    config_option(serve, settings.DEFAULT_PATH)

    check.add_to(commands)

    of_clients = group(commands, "clients", "registered clients")
    command(of_clients, "secret", _clients_secret, "make a secret, shown once, and its hash")

    users.add_to(commands)

    keys.add_to(commands)
    return parser
