"""What certbot has on a host, and what of it is served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

LINEAGE = "portcullis"
STAMP = "/var/lib/portcullis/applied/acme"


@dataclass(frozen=True)
class Issued:
    """`settings` are those of the renewal; `applied` is the digest of the chain last taken over."""

    settings: dict[str, str] = field(default_factory=dict)
    chain: str = ""
    applied: str = ""


_ASK = f"""\
sed -n 's/^\\(server\\|authenticator\\|renew_hook\\) = /\\1=/p' \\
  /etc/letsencrypt/renewal/{LINEAGE}.conf 2> /dev/null || exit 0
echo "applied=$(cat {STAMP} 2> /dev/null)"
echo ==
cat /etc/letsencrypt/live/{LINEAGE}/fullchain.pem 2> /dev/null || true"""


class CertbotCertificate(FactBase[Issued]):
    """Our certificate of certbot's; no private byte is in it."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_ASK))

    @override
    def process(self, output: Iterable[str]) -> Issued:
        told, _, chain = "\n".join(output).partition("==\n")
        settings = dict(line.partition("=")[::2] for line in told.splitlines())
        applied = settings.pop("applied", "")
        return Issued(settings, f"{chain.strip()}\n" if chain.strip() else "", applied)

    @staticmethod
    @override
    def default() -> Issued:
        return Issued()
