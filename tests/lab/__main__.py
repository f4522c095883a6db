"""The lab's command line: `python -m tests.lab --help`."""

import argparse
import os
import sys
from pathlib import Path

from tests.lab import (
    access_token,
    console,
    kinds,
    lab,
    naming,
    places,
    prerequisites,
    record,
    services,
    tour,
    walk,
)
from tests.lab.machine import LabError, UnsuitableMachineError, UsageError

_FAILED = 1
_WRONG_USAGE = 2  # argparse's own
_UNSUITABLE = 3
_INTERRUPTED = 130


def main() -> int:
    options = _parser().parse_args()
    try:
        naming.checked(options.name)
        options.kinds = kinds.parse_hosts(options.hosts, options.kind)
        prerequisites.require_root()
        return int(options.run(options) or 0)
    except UsageError as error:
        sys.stderr.write(f"lab: {error}\n")
        return _WRONG_USAGE
    except UnsuitableMachineError as error:
        sys.stderr.write(f"lab: {error}\n")
        return _UNSUITABLE
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return _FAILED
    except OSError as error:  # a full disk, a directory that somebody made a file
        sys.stderr.write(f"lab: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted; `down` removes what was begun\n")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="Make and remove test hosts on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.add_argument(
            "--name", default=naming.DEFAULT_LAB, help="the lab's name (default: %(default)s)"
        )
        added.set_defaults(run=run, hosts=None, kind=None)
        return added

    up = command("up", _up, "Have a lab running; what it lacks is made, what stopped is started.")
    tour_ = command(
        "tour", _tour, "up, deploy, audit, token and login in one, and what to try next."
    )
    for makes_hosts in (up, tour_):
        makes_hosts.add_argument(
            "--hosts", metavar="N|KIND,…", help="how many hosts, or the kind of each (default: one)"
        )
        makes_hosts.add_argument(
            "--kind",
            metavar="KIND",
            help=f"the kind of all hosts, if --hosts is a number or not given: "
            f"{', '.join(kinds.KINDS)} (default: {kinds.DEFAULT_KIND})",
        )
    ssh = command("ssh", _ssh, "Log in to a host, or run a command there.")
    ssh.add_argument("host")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    command("deploy", _deploy, "Run deploy.py on every host of a lab.")
    command("audit", _audit, "Audit every host of a lab.")
    command("token", _token, "Fetch a token from a lab and verify it.")
    command("login", _login, "Walk the authorization code flow, step by step.")
    command("down", _down, "Remove a lab without a trace; cached images and packages stay.")
    command("list", _list, "List this machine's labs, whichever checkout made them.")
    command("clean", _clean, "Remove the cached images and packages.")
    return parser


def _tour(options: argparse.Namespace) -> None:
    tour.tour(options.name, options.kinds)


def _deploy(options: argparse.Namespace) -> None:
    tour.deploy(options.name)


def _audit(options: argparse.Namespace) -> None:
    print(tour.audit(options.name))


def _token(options: argparse.Namespace) -> None:
    token = access_token.fetch_verified(tour.lab_json(options.name))
    print("\n".join([token.encoded, *tour.token_report(token)]))


def _login(options: argparse.Namespace) -> None:
    walk.walk(tour.lab_json(options.name))


def _up(options: argparse.Namespace) -> None:
    known = lab.up(options.name, options.kinds)
    for host in known.hosts:
        console.note(f"{host.name} ({host.kind}) is up at {host.address}")


def _ssh(options: argparse.Namespace) -> None:
    lab.standing(options.name)
    config = places.described(places.CHECKOUT, options.name) / "ssh_config"
    os.execvp("ssh", ["ssh", "-F", str(config), options.host, *options.command])  # noqa: S606 (ssh takes over)


def _down(options: argparse.Namespace) -> None:
    removed = lab.down(options.name)
    console.note(f"the lab {options.name!r} is {'gone' if removed else 'not there: nothing to do'}")


def _list(_: argparse.Namespace) -> None:
    for known in record.all_labs():
        running = services.of(known.name).running()
        states = [
            f"{host.name} {host.address} {'up' if host.name in running else 'stopped'}"
            for host in known.hosts
        ]
        print(f"{known.name} ({Path(known.checkout)}): {', '.join(states) or 'no host yet'}")


def _clean(_: argparse.Namespace) -> None:
    lab.clean()


if __name__ == "__main__":
    sys.exit(main())
