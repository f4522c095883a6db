"""Whose request it is: the socket's peer, unless that is a proxy we trust."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GATEWAY = "oauth_server.gateway"
_HEADER = b"x-forwarded-for"
_MAX_HOPS = 32


class FromGateway:
    """Marks what came over the unix socket, to which only the gateway can connect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, _GATEWAY: True}, receive, send)


class ClientAddress:
    """Finds the client's address; `trusted` are the proxies that connect over TCP."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._peer = lru_cache(maxsize=1024)(self._look_at)  # it comes with each of its requests

    def of(self, scope: Scope) -> str:
        """The address, or an empty string where there is none to be believed."""
        client = scope.get("client")
        text, peer, trusted = self._peer(client[0]) if client else ("", None, False)
        if not trusted and _GATEWAY not in scope:
            return text
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER]
        peer = self._nearest_stranger(forwarded, peer)
        return str(peer) if peer is not None else ""

    def _look_at(self, host: str) -> tuple[str, Address | None, bool]:
        """A peer's address as text, as such, and whether it is a trusted proxy's."""
        peer = parse(host)
        if peer is None:
            return "", None, False
        return str(peer), peer, self._trusts(peer)

    def _nearest_stranger(self, forwarded: Iterable[str], peer: Address | None) -> Address | None:
        """Each proxy appends whom it saw: from the right, the first that we don't trust.

        What stands left of it was written by that stranger.
        """
        hops = ",".join(forwarded).rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
        for hop in reversed(hops):
            address = parse(hop.strip(" \t"))
            if address is None:
                break
            peer = address
            if not self._trusts(address):
                break
        return peer

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def parse(text: str) -> Address | None:
    """An address without a zone; IPv4 that came through a dual-stack socket is IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
