from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.protocol import redirect_uri


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://api.infrastructure.com/callback", id="https"),
        pytest.param("https://api.example.com:8443/cb?a=b&c=%20d", id="port-and-query"),
        pytest.param("https://192.0.2.1/cb", id="address"),
        pytest.param("https://[2001:db8::1]/cb", id="ipv6"),
        pytest.param("https://localhost/cb", id="https-localhost"),
        pytest.param("http://127.0.0.1/callback", id="rfc8252-7.3-ipv4"),
        pytest.param("http://127.0.0.1:51004/callback", id="rfc8252-7.3-port"),
        pytest.param("http://[::1]:61023/callback", id="rfc8252-7.3-ipv6"),
        pytest.param("com.example.app:/oauth2redirect", id="rfc8252-7.1-private-use"),
    ],
)
def test_redirect_uris_that_can_be_registered(uri: str) -> None:
    assert list(redirect_uri.broken_rules(uri)) == []


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param("/callback", id="relative"),
        pytest.param("//api.example.com/cb", id="no-scheme"),
        pytest.param("https:/cb", id="no-authority"),
        pytest.param("https:///cb", id="empty-authority"),
        pytest.param("https://", id="no-host"),
        pytest.param("https://?x", id="query-for-a-host"),
        pytest.param("https://:443/cb", id="port-alone"),
        pytest.param("http://api.example.com/cb", id="http"),
        pytest.param("http://localhost/cb", id="rfc8252-8.3-localhost"),
        pytest.param("http://127.0.0.2/cb", id="another-loopback"),
        pytest.param("http://127.1/cb", id="short-address"),
        pytest.param("http://0x7f000001/cb", id="hex-address"),
        pytest.param("http://127.0.0.1.evil.test/cb", id="loopback-as-a-prefix"),
        pytest.param("http://127.0.0.1@evil.test/cb", id="userinfo"),
        pytest.param("http://localhost:80@evil.test/cb", id="userinfo-with-port"),
        pytest.param("https://user:pw@api.example.com/cb", id="password"),
        pytest.param("https://a@@b/cb", id="two-ats"),
        pytest.param("https://api.example.com/cb#x", id="rfc6749-3.1.2-fragment"),
        pytest.param("https://api.example.com/cb#", id="empty-fragment"),
        pytest.param("https://*.example.com/cb", id="wildcard-host"),
        pytest.param("https://api.example.com/*", id="wildcard-path"),
        pytest.param("https://api.example.com\\@evil.test/", id="backslash"),
        pytest.param("https://api.example.com/ cb", id="space"),
        pytest.param("https://api.example.com/cb\n", id="trailing-newline"),
        pytest.param("https://api.example.com/\x00", id="nul"),
        pytest.param("https://bücher.example/cb", id="not-ascii"),
        pytest.param("https://api.example.com/%zz", id="broken-escape"),
        pytest.param("https://api%2eexample.com/cb", id="escape-in-the-host"),
        pytest.param("https://api.example.com:0/cb", id="port-0"),
        pytest.param("https://api.example.com:65536/cb", id="port-65536"),
        pytest.param("https://api.example.com:/cb", id="empty-port"),
        pytest.param("https://api..example.com/cb", id="empty-label"),
        pytest.param("https://-a.example/cb", id="hyphen-first"),
        pytest.param("https://[zz]/cb", id="no-address-in-brackets"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("JaVaScRiPt:alert(1)", id="javascript-in-disguise"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("myapp:/cb", id="rfc8252-7.1-no-dot"),
        pytest.param("urn:ietf:wg:oauth:2.0:oob", id="oob"),
    ],
)
def test_redirect_uris_that_cannot_be_registered(uri: str) -> None:
    assert list(redirect_uri.broken_rules(uri)) != []


PIECES = [*"htps:/@?#[].*\\%1270a-", "https://", "http://", "127.0.0.1", "[::1]"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_an_accepted_web_uri_means_the_same_host_to_another_parser(uri: str) -> None:
    """Whoever reads the URI differently could be sent somewhere else."""
    if list(redirect_uri.broken_rules(uri)) or not uri.lower().startswith("http"):
        return
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return
    assert parts.hostname
    assert parts.username is None
    assert parts.fragment == ""
    if parts.scheme == "http":
        assert parts.hostname in {"127.0.0.1", "::1"}
