"""Services that run with what was configured, whatever became of the run that configured them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from shlex import quote

from pyinfra import host, state
from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.operation import OperationMeta
from typing_extensions import override

from roles.questions import operation

_STAMPS = "/var/lib/portcullis/applied"


@dataclass(frozen=True)
class Service:
    """`applied` are the digests of the files that the unit was last started or reloaded with."""

    enabled: bool
    active: bool
    needs_daemon_reload: bool
    wanted: list[str]
    applied: list[str]


class ServiceState(FactBase[Service]):
    """The state of a unit and of the files that feed it, in one command."""

    @override
    def command(
        self, service: str, feeds: list[str], reloaded: list[str] | None = None
    ) -> StringCommand:
        return StringCommand(
            "systemctl show --property=UnitFileState,ActiveState,NeedDaemonReload",
            *(QuoteString(service), "&& echo wanted=", _digests(feeds, reloaded), "&&"),
            *("{ read -r applied <", QuoteString(f"{_STAMPS}/{service}"), "; } 2>/dev/null &&"),
            'echo "applied=$applied"; true',
        )

    @override
    def process(self, output: Iterable[str]) -> Service:
        told = dict(line.split("=", 1) for line in output)
        return Service(
            enabled=told.get("UnitFileState") == "enabled",
            active=told.get("ActiveState") == "active",
            needs_daemon_reload=told.get("NeedDaemonReload") == "yes",
            wanted=_listed(told.get("wanted", "")),
            applied=_listed(told.get("applied", "")),
        )


def _listed(digests: str) -> list[str]:
    """Without the name that sha256sum gives what it reads: to cut it off costs a process a list."""
    return [word for word in digests.split() if word != "-"]


def _digests(feeds: list[str], reloaded: list[str] | None) -> str:
    """A word of the shell: one digest, or one of each list."""
    digests = [f"$({_digest(files)})" for files in (feeds, reloaded) if files is not None]
    return f'"{" ".join(digests)}"'


def _digest(feeds: list[str]) -> str:
    """Shell that prints one digest of the files' names and contents; a missing one counts."""
    files = " ".join(quote(path) for path in feeds)
    return f"sha256sum -- {files} < /dev/null 2>&1 | sha256sum"


@operation()
def running(
    service: str,
    *,
    feeds: list[str],
    after: tuple[OperationMeta, ...] = (),
    reloaded: list[str] | None = None,
    reload_after: tuple[OperationMeta, ...] = (),
    answers: str = "true",
) -> Generator[StringCommand, None, None]:
    """Keep a unit enabled, active, and running with the present content of its files.

    It is restarted when an operation in `after` changed something or when `feeds` are not those
    of the last start, which a stamp on the host remembers: a run that was killed between a file
    and its restart is finished by the next. What is in `reload_after` and `reloaded` alone
    reloads it.

    `answers` is a shell command that succeeds when the unit does its work, for one that systemd
    calls active from its first moment on; it has ten seconds to.
    """
    found = host.get_fact(ServiceState, service=service, feeds=feeds, reloaded=reloaded)
    started = found.applied[:1] == found.wanted[:1] and not any(map(_changed, after))
    fed = started and found.applied == found.wanted and not any(map(_changed, reload_after))
    if fed and found.enabled and found.active and not found.needs_daemon_reload:
        host.noop(f"{service} runs with what is configured")
        return
    unit, stamp = quote(service), quote(f"{_STAMPS}/{service}")
    verb = "reload" if found.active and started else "restart"
    lines = ["set -eu", "systemctl daemon-reload", f"systemctl enable --quiet {unit}"]
    if not (fed and found.active):
        lines += [
            f"wanted={_digests(feeds, reloaded)}",
            "fail() {",
            f"  systemctl status --no-pager --lines=0 {unit} >&2 || :",
            # The journal besides: of a unit that is about to be tried again, status shows no line.
            f"  journalctl --no-pager --lines=10 --output=cat --unit={unit} >&2; exit 1",
            "}",
            f"systemctl {verb} {unit} || fail",
            "tries=0",
            # A unit whose condition is not met starts "successfully" and does not run.
            f"until systemctl is-active --quiet {unit} && {answers}; do",
            f"  systemctl is-active --quiet {unit} && test $tries -lt 50 || fail",
            "  tries=$((tries + 1)); sleep 0.2",
            "done",
            f"install -d -m 0755 {_STAMPS}",
            # What a killed run left goes with a later one; what a full disk leaves goes at once.
            f"find {_STAMPS} -maxdepth 1 -type f -name '.??????' -mmin +60 -delete || :",
            f"new=$(mktemp {_STAMPS}/.XXXXXX)",
            "trap 'rm -f \"$new\"' EXIT",
            'echo "$wanted" > "$new"',
            f'mv -T "$new" {stamp}',
        ]
    yield StringCommand("sh", "-c", QuoteString("\n".join(lines)))


def _changed(operation: OperationMeta) -> bool:
    # While pyinfra looks for changes nothing has run yet, and only the forecast is there.
    return bool(operation.did_change() if state.is_executing else operation.will_change)
