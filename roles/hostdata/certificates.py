"""Where a host's certificate comes from: what an inventory says about it."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from roles.hostdata.schema import Data
from roles.secrets import LocalPath, Source


def _directory_url(value: str) -> str:
    """RFC 8555 §6.1: https alone."""
    rule = "must be the https:// URL of an ACME directory, without a user, query or fragment"
    try:
        parts = urlsplit(value)
        # It becomes a word of certbot's configuration, where a percent sign means something.
        plain = re.fullmatch(r"[A-Za-z0-9._~:/\[\]-]+", value)
        if plain and parts.scheme == "https" and parts.hostname and parts.port != 0:
            return value
    except ValueError:
        pass
    raise ValueError(rule)


def _email(value: str) -> str:
    """It becomes an argument of certbot's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*@[A-Za-z0-9][A-Za-z0-9.-]*", value):
        raise ValueError("must be an e-mail address")
    return value


class LocalCaData(Data):
    """A CA for labs and closed networks; its key stays in `directory` on this machine.

    It is encrypted: `passphrase` says where what opens it lies, which should be elsewhere.
    """

    mode: Literal["local_ca"]
    directory: LocalPath
    passphrase: Annotated[Source, Field(strict=False)]


class CertificateFilesData(Data):
    """The operator's own certificate chain (leaf first) and its key."""

    mode: Literal["files"]
    certificate: LocalPath
    private_key: Annotated[Source, Field(strict=False)]


class AcmeData(Data):
    """A certificate that certbot on the host gets by ACME (RFC 8555, http-01) and renews.

    `ca_file` is what the ACME server itself is trusted by, where no public CA made its certificate.
    """

    mode: Literal["acme"]
    terms_agreed: Literal[True]
    email: Annotated[str, AfterValidator(_email)] | None = None
    directory_url: Annotated[str, AfterValidator(_directory_url)] = (
        "https://acme-v02.api.letsencrypt.org/directory"
    )
    ca_file: LocalPath | None = None
    key_type: Literal["ecdsa", "rsa"] = "ecdsa"


CertificatesData = Annotated[
    LocalCaData | CertificateFilesData | AcmeData, Field(discriminator="mode")
]
