from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import AuthMethod
from oauth_server.protocol import assertion, credentials
from oauth_server.protocol.credentials import Credentials
from tests import vectors

VSCHAR = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def outcome(header: str) -> Credentials | ErrorCode:
    try:
        return credentials.basic(header)
    except ProtocolError as refused:
        return refused.code


def test_the_rfcs_example_of_basic() -> None:
    vector = vectors.load("rfc6749")["basic"]
    assert credentials.basic(vector["authorization"]) == Credentials(
        AuthMethod.CLIENT_SECRET_BASIC, vector["client_id"], vector["client_secret"]
    )


@given(VSCHAR, VSCHAR)
def test_any_id_and_secret_survive_basic(client_id: str, client_secret: str) -> None:
    """RFC 6749 §2.3.1: each is form-urlencoded first, so that a colon is no separator."""
    header = "bAsIc " + encoded(f"{quote_plus(client_id)}:{quote_plus(client_secret)}")
    assert credentials.basic(header) == Credentials(
        AuthMethod.CLIENT_SECRET_BASIC, client_id, client_secret
    )


@given(st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda text: "Basic " + text)))
def test_a_header_of_any_kind_gives_credentials_or_invalid_client(header: str) -> None:
    assert isinstance(outcome(header), Credentials) or outcome(header) is ErrorCode.INVALID_CLIENT


NAMES = ["client_id", "client_secret", "client_assertion", "client_assertion_type"]
VALUES = st.sampled_from([assertion.TYPE, "a.b.c", "web"]) | st.text(min_size=1, max_size=40)


@given(
    st.none() | st.just("Basic YTpi") | st.text(max_size=40),
    st.dictionaries(st.sampled_from(NAMES), VALUES),
)
def test_whatever_is_sent_is_one_way_to_authenticate_or_refused(
    header: str | None, parameters: dict[str, str]
) -> None:
    """RFC 6749 §2.3."""
    ways = [
        header is not None,
        "client_secret" in parameters,
        bool({"client_assertion", "client_assertion_type"} & parameters.keys()),
    ]
    try:
        credentials.read(header, parameters)
    except ProtocolError as refused:
        assert refused.code in {ErrorCode.INVALID_CLIENT, ErrorCode.INVALID_REQUEST}  # noqa: PT017
    else:
        assert ways.count(True) <= 1


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("Basic", id="scheme-alone"),
        pytest.param("Basic ", id="nothing-encoded"),
        pytest.param("Bearer abc", id="another-scheme"),
        pytest.param("Basic  YTpi", id="two-spaces"),
        pytest.param("Basic YTpi\n", id="trailing-newline"),
        pytest.param("Basic YTpi YTpi", id="twice"),
        pytest.param("Basic YTpiY2R", id="no-padding"),
        pytest.param("Basic YTpiYx==", id="spare-bits"),
        pytest.param("Basic YTpi\u00e9", id="not-ascii"),
        pytest.param("Basic " + encoded("no colon"), id="no-colon"),
        pytest.param("Basic " + encoded(":secret"), id="no-id"),
        pytest.param("Basic " + encoded("id:"), id="no-secret"),
        pytest.param("Basic " + encoded("id:%"), id="broken-escape"),
        pytest.param("Basic " + encoded("id:a\nb"), id="newline-within"),
        pytest.param("Basic " + base64.b64encode(b"id:\xff").decode(), id="not-utf-8"),
    ],
)
def test_a_malformed_header_is_invalid_client(header: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        credentials.basic(header)
    assert refused.value.code is ErrorCode.INVALID_CLIENT


def test_each_way_to_authenticate_is_told_apart() -> None:
    basic = "Basic " + encoded("a:b")
    assert credentials.read(basic, {}).method is AuthMethod.CLIENT_SECRET_BASIC
    post = {"client_id": "a", "client_secret": "b"}
    assert credentials.read(None, post) == Credentials(AuthMethod.CLIENT_SECRET_POST, "a", "b")
    assert credentials.read(None, {"client_id": "a"}) == Credentials(AuthMethod.NONE, "a")


@pytest.mark.parametrize(
    ("authorization", "parameters", "code"),
    [
        pytest.param(
            "Basic YTpi", {"client_id": "a", "client_secret": "b"}, ErrorCode.INVALID_REQUEST,
            id="rfc6749-2.3-two-ways",
        ),
        pytest.param(
            "Basic YTpi", {"client_secret": "b"}, ErrorCode.INVALID_REQUEST,
            id="rfc6749-2.3-secret-beside-header",
        ),
        pytest.param(
            "Basic YTpi", {"client_id": "other"}, ErrorCode.INVALID_REQUEST, id="two-clients"
        ),
        pytest.param(None, {}, ErrorCode.INVALID_CLIENT, id="nothing"),
        pytest.param(None, {"client_secret": "b"}, ErrorCode.INVALID_CLIENT, id="secret-alone"),
    ],
)  # fmt: skip
def test_credentials_come_in_exactly_one_way(
    authorization: str | None, parameters: dict[str, str], code: ErrorCode
) -> None:
    with pytest.raises(ProtocolError) as refused:
        credentials.read(authorization, parameters)
    assert refused.value.code is code


def test_the_client_may_repeat_its_id_in_the_body() -> None:
    """RFC 6749 §3.2.1 has client_id there, and libraries send both."""
    assert credentials.read("Basic YTpi", {"client_id": "a"}).client_id == "a"


def test_a_secret_is_not_in_the_representation() -> None:
    assert "hunter2" not in repr(Credentials(AuthMethod.CLIENT_SECRET_POST, "a", "hunter2"))
