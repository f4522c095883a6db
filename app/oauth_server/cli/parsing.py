"""How commands and their options are written."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from oauth_server import settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


# A thumbprint (RFC 7638) of SHA-256, in base64url. No option of ours is as long and has no other
# character.
_DASHED_KID = re.compile("-[A-Za-z0-9_-]{42}")


def dashed_kids_last(arguments: Sequence[str]) -> list[str]:
    """The same, for argparse: one kid in 64 begins as an option does."""
    kids = [argument for argument in arguments if _DASHED_KID.fullmatch(argument)]
    if not kids or "--" in arguments:
        return [*arguments]
    return [*(argument for argument in arguments if argument not in kids), "--", *kids]


def group(commands: Commands, name: str, summary: str) -> Commands:
    """`oauth-server NAME COMMAND`."""
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def config_option(parser: argparse.ArgumentParser, default: Path | None) -> None:
    parser.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        default=default,
        help=f"settings ({settings.DEFAULT_PATH})",
    )


def path(text: str) -> Path:
    if not text:  # which Path would take for the current directory
        raise argparse.ArgumentTypeError("must not be empty")
    return Path(text)


def port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return int(text)
