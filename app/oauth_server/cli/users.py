"""`oauth-server users`: who may log in."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from oauth_server import clients, passwords, settings, users, users_file
from oauth_server.cli.parsing import Commands, command, config_option, group, path
from oauth_server.errors import OperatorError
from oauth_server.output import say
from oauth_server.users import User

_RELOAD = "The running server hears of it by: systemctl reload oauth-server"


def add_to(commands: Commands) -> None:
    of_users = group(commands, "users", "who may log in")
    for name, run, summary in (
        ("add", _add, "let somebody log in; the password is asked for, or a line of stdin"),
        ("passwd", _passwd, "give a user another password; who is logged in is logged out"),
        ("disable", _disable, "let a user log in no more, and refresh nothing"),
        ("enable", _enable, "let a disabled user log in again"),
    ):
        changing = command(of_users, name, run, summary)
        changing.add_argument("username", metavar="NAME")
        _file_options(changing)
    _file_options(command(of_users, "list", _list, "the users, one a line"))
    command(of_users, "hash", _hash, "the password_hash of a password, for an inventory")


def _file_options(parser: argparse.ArgumentParser) -> None:
    config_option(parser, settings.DEFAULT_PATH)
    parser.add_argument("--file", type=path, metavar="FILE", help="users, instead of settings'")


def _file(options: argparse.Namespace) -> Path:
    return options.file or Path(settings.load(options.config).users_file)


def _add(options: argparse.Namespace) -> int:
    file, username = _file(options), options.username
    if not users.is_username(username):
        raise OperatorError(
            "a username is 1 to 64 lower case letters, digits, dots, hyphens, _ or @, "
            "and begins with a letter or a digit"
        )
    _refuse_present(_refuse_deploys(file), username, file)
    _refuse_clients(options)
    password_hash = passwords.make_hash(_password())
    with users_file.changed(file) as by_name:
        _refuse_present(by_name, username, file)
        by_name[username] = User(username=username, password_hash=password_hash)
    return _done(f"{username} was added.")


def _passwd(options: argparse.Namespace) -> int:
    file, username = _file(options), options.username
    _find(_refuse_deploys(file), username, file)
    password_hash = passwords.make_hash(_password())
    _change(file, username, lambda user: msgspec.structs.replace(user, password_hash=password_hash))
    return _done(f"{username} has a new password.")


def _disable(options: argparse.Namespace) -> int:
    _change(
        _file(options), options.username, lambda user: msgspec.structs.replace(user, disabled=True)
    )
    return _done(f"{options.username} is disabled.")


def _enable(options: argparse.Namespace) -> int:
    _change(
        _file(options), options.username, lambda user: msgspec.structs.replace(user, disabled=False)
    )
    return _done(f"{options.username} is enabled.")


def _list(options: argparse.Namespace) -> int:
    listed = users.load(_file(options))
    width = max(map(len, listed), default=0)
    for user in listed.values():
        say(f"{user.username:{width}}  {'disabled' if user.disabled else 'active'}")
    return 0


def _hash(_: argparse.Namespace) -> int:
    say(f"password_hash: {passwords.make_hash(_password())}")
    return 0


def _change(file: Path, username: str, change: Callable[[User], User]) -> None:
    with users_file.changed(file) as by_name:
        by_name[username] = change(_find(by_name, username, file))


def _refuse_deploys(file: Path) -> dict[str, User]:
    """Before anybody has to think of a password."""
    present = users.load(file)
    users_file.refuse_deploys(file, present)
    return dict(present)


def _refuse_present(by_name: dict[str, User], username: str, file: Path) -> None:
    if username in by_name:
        raise OperatorError(f"{file}: {username} is there already; `users passwd` changes it")


def _refuse_clients(options: argparse.Namespace) -> None:
    """No server would start with a user and a client of one name."""
    if options.file is not None:  # which clients belong to it, nobody said
        return
    if options.username in clients.load(Path(settings.load(options.config).clients_file)):
        raise OperatorError(f"{options.username} is a client_id; a username must not be one")


def _find(by_name: dict[str, User], username: str, file: Path) -> User:
    user = by_name.get(username)
    if user is None:
        raise OperatorError(f"{file}: there is no such user; `users list` names them")
    return user


def _done(what: str) -> int:
    say(f"{what}\n{_RELOAD}")
    return 0


def _password() -> str:
    """From the terminal, twice; otherwise a line of standard input. Never an argument: those
    are seen by everybody on the machine.
    """
    if sys.stdin is None:  # descriptor 0 is closed
        raise OperatorError("no password was given")
    password = _asked() if sys.stdin.isatty() else _line()
    rule = passwords.broken_rule(password)
    if rule is not None:
        raise OperatorError(f"the password {rule}")
    return password


def _asked() -> str:
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Once more: ")
    except EOFError:
        raise OperatorError("no password was given") from None
    if password != again:
        raise OperatorError("the two are not the same")
    return password


def _line() -> str:
    line = sys.stdin.buffer.readline(passwords.MAX_BYTES * 4)
    try:
        return line.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise OperatorError("the password must be UTF-8") from None
