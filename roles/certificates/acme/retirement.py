"""The end of a certificate by ACME: the inventory has another one now."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.certificates.acme.facts import LINEAGE, STAMP
from roles.certificates.acme.operations import TAKE_OVER
from roles.questions import operation

_DROP_INS = "/etc/systemd/system/certbot*.service.d/portcullis.conf"

# The program goes last: as long as it is there, this is not done.
_RETIRE = f"""\
set -eu
rm -f {_DROP_INS} {STAMP}
if test -e /etc/letsencrypt/renewal/{LINEAGE}.conf; then
  certbot delete --quiet --non-interactive --cert-name {LINEAGE}
fi
systemctl daemon-reload
rm -f {TAKE_OVER}"""


class RenewsByAcme(FactBase[bool]):
    """Whether the host takes over what certbot renews."""

    @override
    def command(self) -> str:
        return f"test -e {TAKE_OVER} && echo yes; true"

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == ["yes"]

    @staticmethod
    @override
    def default() -> bool:
        return False


@operation()
def acme_retired() -> Generator[StringCommand, None, None]:
    """Have certbot forget our certificate: its next renewal would replace what the inventory says.

    What is served stays until it is replaced.
    """
    if host.get_fact(RenewsByAcme):
        yield StringCommand("sh", "-c", QuoteString(_RETIRE))
    else:
        host.noop("certbot has no certificate of ours")
