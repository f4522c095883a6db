"""Our own nftables table: live, and at each boot; no other table is touched."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.files import managed_file, render
from roles.guard import guarded
from roles.paths import Directory, directories
from roles.questions import operation
from roles.services import running

_FILE = "/etc/portcullis/firewall.nft"
_SERVICE = "portcullis-firewall.service"
_UNIT = f"/etc/systemd/system/{_SERVICE}"
# Beside other drop-ins of this project's for the same unit.
_DROP_IN = "/etc/systemd/system/nftables.service.d/portcullis-firewall.conf"

_LIST = "nft --stateless --terse list table inet portcullis"
_FEED = "<<'END_OF_TABLE'\n{text}END_OF_TABLE"

# Whatever nft makes of the wanted text, it makes in a network namespace that ends with it: versions
# differ in how they write a rule.
_COMPARE = f"""\
PATH=/usr/sbin:/sbin:$PATH
live=$({_LIST} 2> /dev/null) || exit 0
wanted=$(unshare --net sh -c 'nft -f - && {_LIST}' {_FEED}
) && test "$live" = "$wanted" && echo same
true"""


# The table as it is, without what it has counted.
_SAVE = f"""\
echo "nft -f - <<'END_OF_TABLE'"
echo 'add table inet portcullis'
echo 'delete table inet portcullis'
{_LIST} 2> /dev/null || :
echo END_OF_TABLE"""


class TableIsLoaded(FactBase[bool]):
    """Whether the kernel has exactly the table that `text` makes; what it has counted is aside."""

    @override
    def command(self, text: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_COMPARE.format(text=text)))

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == ["same"]

    @staticmethod
    @override
    def default() -> bool:
        return False


@operation()
def table_loaded(text: str) -> Generator[StringCommand, None, None]:
    """Let the kernel have this table, in one step; one that it has already goes on counting."""
    if host.get_fact(TableIsLoaded, text=text):
        host.noop("the kernel has the table")
        return
    yield from guarded("load our own table", _SAVE, f"nft -f - {_FEED.format(text=text)}")


def table_kept(text: str) -> None:
    """Have the table loaded at each boot, and whenever nftables.service has flushed all rules."""
    directories(
        name="Make the directories of the firewall [NET-08]",
        wanted=[Directory("/etc/portcullis"), Directory(_DROP_IN.rpartition("/")[0])],
    )
    written = managed_file(
        name="Write our own table [NET-08]",
        path=_FILE,
        content=text,
        mode="0600",
        check='nft -c -f "$candidate"',
    )
    unit = managed_file(
        name="Write the unit that loads our table [NET-08]",
        path=_UNIT,
        content=render("firewall/portcullis-firewall.service.j2", table=_FILE),
        check='systemd-analyze verify --man=no "$candidate"',
    )
    after_others = managed_file(
        name="Have our table follow nftables.service [NET-08]",
        path=_DROP_IN,
        content=render("firewall/nftables.conf.j2", table=_FILE),
    )
    running(
        name="Load our table at each boot [NET-08]",
        service=_SERVICE,
        feeds=[_UNIT, _DROP_IN],
        after=(unit, after_others),
        reloaded=[_FILE],
        reload_after=(written,),
    )
