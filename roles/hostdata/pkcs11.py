"""Where a host's signing keys are, if they are on a PKCS#11 token: what an inventory says of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from roles.hostdata.schema import Data, Network
from roles.secrets import Source

_PATH = r"^(/[A-Za-z0-9._+@-]+)+$"
_LABEL_BYTES = 32  # of a token (PKCS #11 v3.0 §3.2), padded with spaces


def _label(value: str) -> str:
    if not value.isprintable() or value != value.strip() or not value:
        raise ValueError("must be the token's label, printable and without spaces around it")
    if len(value.encode()) > _LABEL_BYTES:
        raise ValueError(f"must have at most {_LABEL_BYTES} bytes, as a token's label has")
    return value


Path = Annotated[str, Field(pattern=_PATH)]
Paths = Annotated[tuple[Path, ...], Field(strict=False)]


class Pkcs11Data(Data):
    """A token whose label is `token`, by the library `module` that the host has.

    `groups`, `devices`, `writable`, `network` and `environment` are what the module wants: groups
    to be in, devices to open, places to write to, networks to reach, variables to read.
    """

    module: Path
    token: Annotated[str, AfterValidator(_label)]
    pin: Annotated[Source, Field(strict=False)]
    groups: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")], ...], Field(strict=False)
    ] = ()
    devices: Annotated[
        tuple[Annotated[str, Field(pattern=r"^/dev(/[A-Za-z0-9._-]+)+$")], ...],
        Field(strict=False),
    ] = ()
    writable: Paths = ()
    network: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    environment: dict[
        Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")],
        Annotated[str, Field(pattern=r"^[ -~]+$")],
    ] = {}  # noqa: RUF012 - pydantic copies it
