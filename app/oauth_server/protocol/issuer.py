"""The issuer identifier (RFC 8414 §2): https and a name or an address, and nothing more."""

from __future__ import annotations

import ipaddress
import re

# Lower case: issuers are compared as strings.
_NAME = re.compile(r"(?=.{1,253}$)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_valid(issuer: str) -> bool:
    scheme, separator, host = issuer.partition("://")
    if scheme != "https" or not separator:
        return False
    if host.startswith("[") and host.endswith("]"):
        return _is_address(host[1:-1], 6)
    if re.fullmatch(r"[0-9.]+", host):  # all digits and dots is an address or nothing
        return _is_address(host, 4)
    return _NAME.fullmatch(host) is not None


def _is_address(text: str, version: int) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == version and str(address) == text
