from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from oauth_server.http.client_address import ClientAddress, FromGateway, parse

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def address(peer: str | None, *forwarded: str, gateway: bool = False) -> str:
    scope: Scope = {
        "type": "http",
        "client": None if peer is None else (peer, 4711),
        "headers": [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded],
    }
    if gateway:
        scope["oauth_server.gateway"] = True
    return ClientAddress(TRUSTED).of(scope)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        pytest.param("203.0.113.7", [], "203.0.113.7", id="peer"),
        pytest.param("203.0.113.7", ["198.51.100.1"], "203.0.113.7", id="forged-by-a-stranger"),
        pytest.param("10.0.0.1", ["198.51.100.1"], "198.51.100.1", id="said-by-a-proxy"),
        pytest.param(
            "10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1", id="forged-on-the-left"
        ),
        pytest.param("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1", id="two-headers"),
        pytest.param("10.0.0.1", ["198.51.100.1, 10.9.9.9"], "198.51.100.1", id="two-proxies"),
        pytest.param("10.0.0.1", ["10.1.1.1, 10.9.9.9"], "10.1.1.1", id="all-are-proxies"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="the-proxy-itself"),
        pytest.param("10.0.0.1", ["unknown"], "10.0.0.1", id="no-address"),
        pytest.param("10.0.0.1", ["198.51.100.1, x, 10.2.2.2"], "10.2.2.2", id="broken-chain"),
        pytest.param("10.0.0.1", ["1.2.3.4:80"], "10.0.0.1", id="with-a-port"),
        pytest.param("10.0.0.1", [""], "10.0.0.1", id="empty"),
        pytest.param("::ffff:203.0.113.7", [], "203.0.113.7", id="ipv4-over-dual-stack"),
        pytest.param("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1", id="mapped-proxy"),
        pytest.param("2001:db8::1", ["2001:DB9::0:1"], "2001:db9::1", id="ipv6-canonical"),
        pytest.param("fe80::1%eth0", [], "fe80::1", id="zone"),
        pytest.param(None, ["198.51.100.1"], "", id="peer-unknown"),
    ],
)
def test_the_client_is_the_first_whom_we_do_not_trust(
    peer: str | None, forwarded: list[str], found: str
) -> None:
    assert address(peer, *forwarded) == found


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ([], ""),
        (["203.0.113.7\x1b"], ""),
    ],
)
def test_the_gateway_is_believed(forwarded: list[str], found: str) -> None:
    assert address(None, *forwarded, gateway=True) == found


@given(st.lists(st.text(st.characters(max_codepoint=0xFF), max_size=60), max_size=3))
def test_a_header_of_any_kind_gives_an_address_or_nothing(forwarded: list[str]) -> None:
    for found in (address(None, *forwarded, gateway=True), address("10.0.0.1", *forwarded)):
        assert found == "" or str(parse(found)) == found


def test_a_header_of_100000_hops_is_cut_short() -> None:
    assert address("10.0.0.1", "6.6.6.6," + "10.1.1.1," * 100_000 + "10.2.2.2") == "10.1.1.1"


def test_only_a_listeners_own_wrapper_marks_the_gateway() -> None:
    """The mark goes into a copy: what other requests of the connection share stays unmarked."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, await receive(), send))

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope: Scope = {"type": "http"}
    asyncio.run(FromGateway(app)(scope, receive, send))
    marked = {"type": "http", "oauth_server.gateway": True}
    assert seen == [(marked, {"type": "http.request"}, send)]
    assert scope == {"type": "http"}
