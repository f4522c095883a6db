"""Which names a certificate is good for (RFC 9525 §6)."""

from __future__ import annotations

from ipaddress import ip_address

from cryptography import x509


def general_name(name: str) -> x509.GeneralName:
    """The subject alternative name that stands for an issuer's host: an address or a DNS name."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def subject_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """All subject alternative names; the common name counts for nothing (RFC 9525 §2)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(extension.value)


def covers(certificate: x509.Certificate, name: str) -> bool:
    """Whether a client that asked for `name` accepts the certificate's names."""
    wanted = general_name(name)
    names = subject_names(certificate)
    if isinstance(wanted, x509.IPAddress):
        return wanted in names
    patterns = (name.value.lower() for name in names if isinstance(name, x509.DNSName))
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    """RFC 9525 §6.3: a wildcard is the whole left-most label, and stands for exactly one."""
    if not pattern.startswith("*."):
        return pattern == name
    label, _, parent = name.partition(".")
    return bool(label) and parent == pattern[2:]


def shown(name: x509.GeneralName) -> str:
    """With its kind, as openssl writes it: an address that stands there as a DNS name is none."""
    match name:
        case x509.IPAddress():
            return f"IP:{name.value}"
        case x509.DNSName():
            return f"DNS:{name.value}"
        case _:
            return str(name.value)


def listed(certificate: x509.Certificate) -> str:
    """The names for a message."""
    return ", ".join(map(shown, subject_names(certificate))) or "none"
