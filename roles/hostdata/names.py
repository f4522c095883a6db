"""Names and addresses of hosts."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError("must be an IP address")
    return value


def _host(value: str) -> str:
    """A host name in lower case, or an address."""
    if not (is_name(value) or is_address(value)):
        raise ValueError("must be a host name in lower case, or an IP address")
    return value


def is_name(value: str) -> bool:
    """Whether it is a name and no address gone wrong, whose last label is a number."""
    return bool(_HOSTNAME.fullmatch(value)) and not value.rpartition(".")[2].isdigit()


def is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


Host = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
