"""How a redirect URI is told to people: as much as tells who will receive the answer."""

from __future__ import annotations

from dataclasses import dataclass

from oauth_server.protocol import redirect_uri


@dataclass(frozen=True)
class Destination:
    """`kind` is web, loopback or app; `name` is the host, or the private-use scheme."""

    kind: str
    name: str


def destination(uri: str) -> Destination:
    origin = redirect_uri.origin(uri)
    if origin.startswith("https://"):
        return Destination("web", origin.removeprefix("https://"))
    if origin.startswith("http://"):
        return Destination("loopback", origin.removeprefix("http://"))
    return Destination("app", origin.removesuffix(":"))
