"""The certificate by ACME, once nginx answers the challenges on port 80."""

from __future__ import annotations

from pathlib import Path

from pyinfra import host
from pyinfra.api import deploy

from roles.certificates.acme.facts import LINEAGE, STAMP
from roles.certificates.acme.layout import LAYOUTS, WEBROOT
from roles.certificates.acme.operations import CA_FILE, TAKE_OVER, acme_certificate
from roles.certificates.operations import INSTALL
from roles.certificates.pair import CertificateError
from roles.drop_ins import drop_in
from roles.files import managed_file, render
from roles.hostdata.certificates import AcmeData
from roles.paths import Directory, directories
from roles.platform import Platform
from roles.services import running


@deploy("acme")
def acme(data: AcmeData, issuer: str, platform: Platform) -> None:
    """Raises CertificateError, before any host is changed, for a `ca_file` that is none."""
    name, unit = issuer.removeprefix("https://"), LAYOUTS[platform].unit
    directories(name="Make the directory of challenges [TLS-07]", wanted=[Directory(WEBROOT)])
    managed_file(
        name="Write what takes a certificate over [TLS-06]",
        path=TAKE_OVER,
        content=render(
            "certificates/take-over.j2", lineage=LINEAGE, stamp=STAMP, name=name, install=INSTALL
        ),
        mode="0755",
        check='sh -n "$candidate"',
    )
    if data.ca_file is not None:
        managed_file(
            name="Write the CA of the ACME server [TLS-06]",
            path=CA_FILE,
            content=_certificates(data.ca_file),
            check='openssl x509 -noout -in "$candidate"',
        )
    renewing = drop_in(
        f"{unit}.service",
        render(
            "certificates/certbot.conf.j2",
            take_over=TAKE_OVER,
            ca_file=CA_FILE if data.ca_file else None,
        ),
        of="certbot's",
        control="TLS-05",
    )
    acme_certificate(
        name="Have a certificate by ACME, and take it over [TLS-02] [TLS-06]", data=data, dns=name
    )
    running(
        name="Renew by certbot's timer [TLS-05]",
        service=f"{unit}.timer",
        feeds=[renewing.path],
        after=(renewing.written,),
    )


def _certificates(path: Path) -> str:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise CertificateError(
            f"{host.name}: certificates.ca_file {path} must hold certificates in PEM"
        )
    return text if text.endswith("\n") else f"{text}\n"
