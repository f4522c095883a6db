"""A certificate by ACME: asked for where there is none that will do, and taken over."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from shlex import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pyinfra import host
from pyinfra.api import QuoteString, StringCommand

from roles.certificates import names
from roles.certificates.acme.facts import LINEAGE, STAMP, CertbotCertificate, Issued
from roles.certificates.acme.layout import WEBROOT
from roles.certificates.facts import Installed, InstalledPair, sound_layout
from roles.certificates.pair import DAMAGED
from roles.hostdata.certificates import AcmeData
from roles.questions import operation

TAKE_OVER = "/usr/local/sbin/portcullis-certificate"
CA_FILE = "/etc/oauth2/acme-ca.pem"

# As soon as certbot's own timer is a week late, or for a short certificate, nearly so.
_LATE = timedelta(days=21)

# Another certbot, which the timer has started, may be at work; it holds a lock and none waits.
_ASK = """\
tries=0
until said=$({command} 2>&1); do
  case "$said" in *"Another instance of Certbot"*) ;; *) tries=60;; esac
  tries=$((tries + 1)); test $tries -lt 60 || {{ echo "$said" >&2; exit 1; }}
  sleep 5
done"""


@operation()
def acme_certificate(data: AcmeData, dns: str) -> Generator[StringCommand, None, None]:
    """Have certbot keep a certificate of the name `dns`, and have it in /etc/oauth2/certs."""
    issued = host.get_fact(CertbotCertificate)
    installed = host.get_fact(InstalledPair)
    asks = not _will_do(issued, data, dns, datetime.now(timezone.utc))
    if not asks and _taken_over(issued, installed):
        host.noop("the certificate is as it should be")
        return
    if asks:
        command = " ".join(map(quote, _certbot(data, dns, again=bool(issued.settings))))
        yield StringCommand("sh", "-c", QuoteString(_ASK.format(command=command)))
    # Also what was taken over once: its modes may be wrong, or something else may lie there.
    yield StringCommand(f"rm -f {STAMP} && {TAKE_OVER}")


def _will_do(issued: Issued, data: AcmeData, name: str, now: datetime) -> bool:
    wanted = {
        "server": data.directory_url,
        "authenticator": "webroot",
        "renew_hook": TAKE_OVER,
    }
    if issued.settings != wanted:
        return False
    try:
        leaf = x509.load_pem_x509_certificates(issued.chain.encode())[0]
        named = names.subject_names(leaf) == [names.general_name(name)]
        # Not what certbot notes: older versions note no default.
        is_rsa = isinstance(leaf.public_key(), rsa.RSAPublicKey)
    except DAMAGED:
        return False
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    fits = named and is_rsa is (data.key_type == "rsa")
    return fits and ends - now > min(_LATE, (ends - begins) / 4)


def _taken_over(issued: Issued, installed: Installed) -> bool:
    return (
        installed.layout == sound_layout(with_ca=False)
        and installed.chain == issued.chain
        and issued.applied == hashlib.sha256(issued.chain.encode()).hexdigest()
    )


def _certbot(data: AcmeData, name: str, *, again: bool) -> list[str]:
    trust = ["env", f"REQUESTS_CA_BUNDLE={CA_FILE}"] if data.ca_file else []
    contact = ["--email", data.email, "--no-eff-email"] if data.email else []
    return [
        *(*trust, "certbot", "certonly", "--non-interactive", "--agree-tos"),
        *(contact or ["--register-unsafely-without-email"]),
        *("--server", data.directory_url, "--key-type", data.key_type),
        *("--cert-name", LINEAGE, "--domain", name),
        *("--webroot", "--webroot-path", WEBROOT, "--deploy-hook", TAKE_OVER),
        # One with other names, of another server or with another key; or one that is due.
        *(["--renew-with-new-domains", "--force-renewal"] if again else []),
    ]
