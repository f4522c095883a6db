"""Programs run on the machine that the lab stands on, and the errors its user sees."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

# Before a program that takes its time: whatever ends this process ends the program with it.
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class LabError(Exception):
    """Something failed; the message is one sentence for the user."""


class UsageError(LabError):
    """The user asked for what cannot be; nothing was done."""


class UnsuitableMachineError(LabError):
    """This machine cannot hold lab hosts at all."""


def run(*argv: str | Path, stdin: str | None = None) -> str:
    """Give the program's standard output; raise LabError with its own words if it fails."""
    done = attempt(*argv, stdin=stdin)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise LabError(f"`{' '.join(map(str, argv))}` failed: {reason}")
    return done.stdout


def attempt(*argv: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program and leave the judgement of its exit status to the caller."""
    command: Sequence[str] = [str(word) for word in argv]
    try:
        return subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"the program `{argv[0]}` is not installed") from error
