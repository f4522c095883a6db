from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.protocol import issuer


@pytest.mark.parametrize(
    "text",
    ["https://auth.example.com", "https://localhost", "https://10.0.0.7"],
)
def test_a_name_or_an_address_is_an_issuer(text: str) -> None:
    assert issuer.is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("https://", id="no-host"),
        pytest.param("http://auth.example.com", id="rfc8414-2-http"),
        pytest.param("https://auth.example.com/", id="slash"),
        pytest.param("https://auth.example.com/tenant", id="path"),
        pytest.param("https://auth.example.com:443", id="port"),
        pytest.param("https://auth.example.com?x", id="rfc8414-2-query"),
        pytest.param("https://auth.example.com#x", id="rfc8414-2-fragment"),
        pytest.param("https://u@auth.example.com", id="user"),
        pytest.param("https://Auth.example.com", id="upper-case"),
        pytest.param("https://auth.example.com\n", id="trailing-newline"),
        pytest.param("https://auth_1.example.com", id="underscore"),
        pytest.param("https://-auth.example.com", id="hyphen-first"),
        pytest.param("https://auth..example.com", id="empty-label"),
        pytest.param("https://auth.example.com.", id="trailing-dot"),
        pytest.param("https://10.0.0.256", id="no-address"),
        pytest.param("https://010.0.0.1", id="octal"),
        pytest.param("https://1.2.3", id="short-address"),
        pytest.param("https://::1", id="no-brackets"),
        pytest.param("https://[10.0.0.1]", id="ipv4-in-brackets"),
        pytest.param("https://[2001:db8::1]", id="ipv6"),
        pytest.param("https://bücher.example", id="not-ascii"),
        pytest.param("https://" + "a" * 64, id="label-too-long"),
        pytest.param("https://" + "a." * 126 + "aa", id="name-too-long"),
    ],
)
def test_everything_else_is_not(text: str) -> None:
    assert not issuer.is_valid(text)


@given(st.lists(st.sampled_from([*"htps:/.-_@?#[]%a1A\n", "https://"]), max_size=12).map("".join))
def test_an_issuer_means_the_same_host_to_another_parser(text: str) -> None:
    if issuer.is_valid(text):
        parts = urlsplit(text)
        assert f"https://{parts.hostname}" == text


@given(st.text())
def test_text_of_any_kind_is_an_issuer_or_not(text: str) -> None:
    assert issuer.is_valid(text) in {True, False}
