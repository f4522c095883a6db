"""The certificate that nginx and the authorization server serve."""

from __future__ import annotations

from pyinfra import host, logger
from pyinfra.api import deploy
from pyinfra.api.operation import OperationMeta

from roles.certificates.acme.placeholder import placeholder_pair
from roles.certificates.acme.retirement import acme_retired
from roles.certificates.files import FilesSource
from roles.certificates.local_ca import LocalCaSource
from roles.certificates.operations import encrypted_ca_key, installed_pair
from roles.certificates.pair import CertificateError, PairSource
from roles.errors import DeployError
from roles.hostdata.certificates import (
    AcmeData,
    CertificateFilesData,
    CertificatesData,
    LocalCaData,
)
from roles.questions import rehearsing


@deploy("certificates")
def certificates(data: CertificatesData, issuer: str) -> OperationMeta:
    """The operation that those who serve the certificate run after.

    Raises DeployError before any host is changed, a line for each rule that is broken.
    """
    if isinstance(data, AcmeData):
        return placeholder_pair(name="Have some certificate to begin with [TLS-01]")
    source = _source(data, issuer.removeprefix("https://"))
    acme_retired(name="Have certbot renew nothing of ours [TLS-05]")
    if isinstance(source, LocalCaSource):
        encrypted_ca_key(name="Encrypt the CA's key on this machine [TLS-08]", source=source)
    return installed_pair(
        name="Install the certificate and its key [TLS-01] [TLS-02]",
        source=source,
    )


def _source(data: LocalCaData | CertificateFilesData, name: str) -> PairSource:
    source: LocalCaSource | FilesSource
    try:
        if isinstance(data, LocalCaData):
            source = LocalCaSource(data, name)
        else:
            source = FilesSource(data, name)
    except DeployError as error:
        lines = (f"{host.name}: certificates: {line}" for line in str(error).splitlines())
        raise CertificateError("\n".join(lines)) from None
    for warning in () if rehearsing() else source.warnings:
        logger.warning("%s: certificates: %s", host.name, warning)
    return source
