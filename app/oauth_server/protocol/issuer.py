"""The issuer identifier (RFC 8414 §2): https and a name or an IPv4 address, nothing more."""

from __future__ import annotations

import ipaddress
import re

# Lower case: issuers are compared as strings.
_NAME = re.compile(r"(?=.{1,253}$)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_valid(issuer: str) -> bool:
    scheme, separator, host = issuer.partition("://")
    if scheme != "https" or not separator:
        return False
    if re.fullmatch(r"[0-9.]+", host):  # all digits and dots is an address or nothing
        return _is_address(host)
    return _NAME.fullmatch(host) is not None


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
