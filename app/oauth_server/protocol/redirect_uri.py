"""Redirect URIs: which a client may register, and which of a request is one of them.

RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

# RFC 3986 §2: everything else must be percent-encoded. No `\`, which browsers read as `/`,
# and no `*`, which readers take for a wildcard.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_AUTHORITY = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]"})
_ON_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]))(?::(?P<port>[0-9]{1,5}))?(?P<rest>(?:[/?].*)?)"
)
# What our answers say: beside one of a URI's own, a client could take the wrong one (RFC 9207 §4).
_ANSWERS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "access_token", "id_token"}
)


def matches(requested: str, registered: str) -> bool:
    """Whether they are the same string, but for the port of a loopback address.

    An app for one's own machine takes whichever port is free (RFC 8252 §7.3).
    """
    if requested == registered:
        return True
    ours, theirs = _ON_LOOPBACK.fullmatch(registered), _ON_LOOPBACK.fullmatch(requested)
    if ours is None or theirs is None or _port(theirs["port"]) is None:
        return False
    return (ours["host"], ours["rest"]) == (theirs["host"], theirs["rest"])


def is_claimed(uri: str) -> bool:
    """Whether only its owner can receive what is sent there.

    Any program on a machine can listen on loopback, or claim a private-use scheme
    (RFC 8252 §8.6).
    """
    return uri.partition(":")[0].lower() == "https"


def origin(uri: str) -> str:
    """Of a registered URI: scheme, host and port, or the scheme of a URI without a host."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"http", "https"}:
        return f"{scheme.lower()}:"
    return f"{scheme.lower()}://{re.split('[/?#]', rest[2:])[0]}"


def _port(text: str | None) -> int | None:
    """80 for none; None for what is no port."""
    port = int(text) if text is not None else 80
    return port if 0 < port < 65536 else None


def broken_rules(uri: str) -> Iterator[str]:
    """Each rule that this URI breaks, as a sentence without the URI."""
    if not _CHARACTERS.fullmatch(uri):
        yield (
            "must be ASCII without spaces, control characters, backslashes, wildcards "
            "and broken percent-escapes"
        )
        return
    if "#" in uri:  # RFC 6749 §3.1.2
        yield "must have no fragment"
    for pair in uri.partition("?")[2].split("&"):
        if unquote_plus(pair.partition("=")[0]) in _ANSWERS:
            yield "must have no parameter that an answer has, such as code, state or iss"
            break
    found = _SCHEME.match(uri)
    if found is None:
        yield "must be an absolute URI"
        return
    scheme, rest = found[1].lower(), re.split(r"[?#]", uri[found.end() :])[0]
    if scheme in {"https", "http"}:
        yield from _broken_web_rules(scheme, rest)
    elif "." not in scheme:  # RFC 8252 §7.1; keeps out javascript:, data: and the like
        yield "must be https, http on a loopback literal, or a private-use scheme with a dot in it"


def _broken_web_rules(scheme: str, rest: str) -> Iterator[str]:
    authority = rest[2:].partition("/")[0]
    if not rest.startswith("//") or not authority:
        yield "must name a host"
        return
    if "@" in authority:
        yield "must have no user information"
        return
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        yield "must name a valid host and port"
        return
    if found["port"] is not None and not 0 < int(found["port"]) < 65536:
        yield "must name a valid host and port"
    if scheme == "http" and found["host"] not in _LOOPBACK:  # RFC 8252 §7.3 and §8.3
        yield "must be https: http is for the literals 127.0.0.1 and [::1] alone"
