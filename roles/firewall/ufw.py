"""ufw, Ubuntu's firewall: open ports for everybody, unless the host has a word on them already."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.errors import DeployError
from roles.guard import guarded
from roles.questions import operation

_COMMENT = "Portcullis"

# Action, protocol, port, to, port, from; the applications that stand for the ports; direction.
_NOTE = re.compile(
    r"[a-z_-]+ (?P<protocol>\S+) (?P<ports>\S+) \S+ \S+ \S+(?: \S+ \S+)? in(?:_\S+)?"
    r"(?: comment=(?P<comment>(?:[0-9a-f]{2})*))?"
)

# ufw's own notes of its rules: `ufw status` would take a Python's start, and says less. In its
# files a comment is in hex. A rule that was noted and not loaded is one of a run that was killed.
_ASK = """\
command -v ufw > /dev/null && grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf || exit 0
echo on
tell() {
  sed -n "s/^### tuple ### /$1 noted /p" "/etc/ufw/user$2.rules"
  ip$2tables -S "ufw$2-user-input" 2>/dev/null | sed "s/^/$1 loaded /"
}
tell 4 ''
if grep -qi '^IPV6=yes' /etc/default/ufw; then echo ipv6; tell 6 6; fi"""


@dataclass(frozen=True)
class Rule:
    """A rule for what comes in: `ports` as ufw notes them, such as `443`, `80,443` or `440:450`."""

    protocol: str
    ports: str
    comment: str

    def names(self, port: int) -> bool:
        """Whether the rule is about this TCP port; one for any port at all is about none."""
        return self.protocol in ("tcp", "any") and any(
            int(first) <= port <= int(last or first)
            for first, _, last in (part.partition(":") for part in self.ports.split(","))
            if first.isdigit()
        )


@dataclass(frozen=True)
class Rules:
    """What ufw has noted and what the kernel has loaded, by version of IP (`4` and `6`)."""

    noted: dict[str, list[Rule]]
    loaded: dict[str, list[str]]

    @property
    def run(self) -> bool:
        """Whether ufw, which is enabled, was also started: else it has loaded no chain."""
        return bool(self.loaded["4"])


class UfwRules(FactBase["Rules | None"]):
    """The rules of a ufw that is on; None where it is off or absent."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_ASK))

    @override
    def process(self, output: Iterable[str]) -> Rules | None:
        first, *lines = [*output] or [""]
        if first != "on":
            return None
        versions = ("4", "6") if "ipv6" in lines else ("4",)
        noted: dict[str, list[Rule]] = {version: [] for version in versions}
        loaded: dict[str, list[str]] = {version: [] for version in versions}
        for version, where, text in (line.split(" ", 2) for line in lines if line != "ipv6"):
            if where == "loaded":
                loaded[version].append(text)
            elif (rule := _rule(text)) is not None:
                noted[version].append(rule)
        return Rules(noted, loaded)

    @staticmethod
    @override
    def default() -> None:
        return None


def _rule(note: str) -> Rule | None:
    """The rule of a note, or None for one about what goes out or through."""
    if not (match := _NOTE.fullmatch(note)):
        return None
    comment = bytes.fromhex(match["comment"] or "").decode(errors="replace")
    return Rule(match["protocol"], match["ports"], comment)


def check_ufw(ports: tuple[int, ...]) -> None:
    """Raise DeployError where ufw is enabled, was stopped, and would start without the rules."""
    rules = host.get_fact(UfwRules)
    if rules is None or rules.run:
        return
    if missing := [port for port in ports if _lacks(rules, port)]:
        raise DeployError(
            f"{host.name}: ufw is enabled and does not run: at the next boot it would close "
            f"{', '.join(map(str, missing))}, and it takes no rule until then. Start it "
            "(systemctl restart ufw), or switch it off (ufw disable)"
        )


@operation()
def ufw_ports_open(ports: tuple[int, ...]) -> Generator[StringCommand, None, None]:
    """Have TCP ports open for everybody in a ufw that is on.

    A port that a rule of the host's own names is left to it, whatever the rule says: who lets in
    some addresses alone must not find the port open to all.
    """
    rules = host.get_fact(UfwRules)
    if rules is None:
        host.noop("there is no ufw that is on")
        return
    missing = [port for port in ports if _lacks(rules, port)]
    if not rules.run:
        host.noop("ufw does not run, and has rules for the ports")
        return
    for port in missing:
        yield StringCommand("ufw", "allow", f"{port}/tcp", "comment", _COMMENT)
    if any(_not_loaded(rules, port) for port in ports if port not in missing):
        yield StringCommand("ufw", "reload")
    elif not missing:
        host.noop("ufw has rules for the ports")


def _lacks(rules: Rules, port: int) -> bool:
    """Whether no rule names the port, or a run was killed before ours was noted for each IP."""
    naming = {
        version: [rule for rule in noted if rule.names(port)]
        for version, noted in rules.noted.items()
    }
    ours = [any(rule.comment == _COMMENT for rule in named) for named in naming.values()]
    return not all(ours) if any(ours) else not any(naming.values())


def _not_loaded(rules: Rules, port: int) -> bool:
    return any(
        rule.comment == _COMMENT
        and rule.names(port)
        and not any(f" --dport {port} " in each for each in rules.loaded[version])
        for version, noted in rules.noted.items()
        for rule in noted
    )


# Its rules and whether it is on, as they are: what undoes a start puts them back.
_SAVE = """\
echo 'ufw --force disable > /dev/null'
for file in /etc/ufw/user.rules /etc/ufw/user6.rules; do
  test -e "$file" || continue
  echo "base64 -d > $file <<'END_OF_FILE'"
  base64 "$file"
  echo END_OF_FILE
done"""


@operation()
def ufw_switched_on(
    ports: tuple[int, ...], ssh: tuple[int, ...]
) -> Generator[StringCommand, None, None]:
    """Have ufw on, with these TCP ports open and sshd's before all."""
    if host.get_fact(UfwRules) is not None:
        host.noop("ufw is on")
        return
    allow = [f"ufw allow {port}/tcp comment {_COMMENT}" for port in (*ssh, *ports)]
    yield from guarded(
        f"switch ufw on, with SSH on {', '.join(map(str, ssh))}",
        _SAVE,
        " && ".join([*allow, "ufw --force enable"]),
    )
