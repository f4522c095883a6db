from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.protocol import form
from tests import vectors

TYPE = "application/x-www-form-urlencoded"
# What RFC 6749 appendix A lets a parameter hold, generously.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


def code(content_type: str | None, body: bytes) -> ErrorCode:
    with pytest.raises(ProtocolError) as refused:
        form.parse(content_type, body)
    return refused.value.code


@given(st.dictionaries(TEXT, TEXT, max_size=form.MAX_PARAMETERS))
def test_what_a_client_encodes_is_what_we_read(parameters: dict[str, str]) -> None:
    assert form.parse(TYPE, urlencode(parameters).encode()) == parameters


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_give_parameters_or_a_protocol_error(body: bytes) -> None:
    try:
        parameters = form.parse(TYPE, body)
    except ProtocolError:
        return
    for name, value in parameters.items():
        assert value
        assert all(ord(character) >= 0x20 for character in name + value)


def test_the_rfcs_example_of_encoding() -> None:
    vector = vectors.load("rfc6749")["form"]
    assert form.decode(vector["encoded"].encode()) == vector["decoded"]


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(TYPE, id="plain"),
        pytest.param(TYPE.upper(), id="rfc9110-8.3.1-case"),
        pytest.param(TYPE + "; charset=UTF-8", id="charset"),
        pytest.param(TYPE + ';charset="utf-8"', id="quoted-charset"),
    ],
)
def test_forms_in_utf8_are_read(content_type: str) -> None:
    assert form.parse(content_type, b"a=1") == {"a": "1"}


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("application/json", id="json"),
        pytest.param("multipart/form-data; boundary=x", id="multipart"),
        pytest.param(TYPE + "; charset=utf-16", id="utf-16"),
        pytest.param(TYPE + "; charset=utf-8; charset=utf-16", id="two-charsets"),
        pytest.param(TYPE + "\n", id="trailing-newline"),
        pytest.param(TYPE + "x", id="longer"),
    ],
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    assert code(content_type, b"a=1") is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a=1&a=1", id="rfc6749-3.1-twice"),
        pytest.param(b"a=1&%61=2", id="rfc6749-3.1-twice-in-disguise"),
        pytest.param(b"a=&a=1", id="rfc6749-3.1-twice-once-empty"),
        pytest.param(b"a=%", id="lone-percent"),
        pytest.param(b"a=%4", id="short-escape"),
        pytest.param(b"a=%zz", id="no-hex"),
        pytest.param(b"a=%ff", id="not-utf-8"),
        pytest.param(b"a=\xff", id="raw-not-utf-8"),
        pytest.param(b"a=%ed%a0%80", id="surrogate"),
        pytest.param(b"a=%c0%af", id="overlong-utf-8"),
        pytest.param(b"a=%00", id="nul"),
        pytest.param(b"a=%0d%0ab", id="crlf"),
        pytest.param(b"a=\n", id="raw-newline"),
        pytest.param(b"a=%7f", id="del"),
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    assert code(TYPE, body) is ErrorCode.INVALID_REQUEST


def test_a_parameter_without_a_value_counts_as_omitted() -> None:
    """RFC 6749 §3.1."""
    assert form.parse(TYPE, b"scope=&a&b=1&") == {"b": "1"}


def test_limits_are_inclusive() -> None:
    most = "&".join(f"p{n}=1" for n in range(form.MAX_PARAMETERS))
    assert len(form.parse(TYPE, most.encode())) == form.MAX_PARAMETERS
    assert code(TYPE, most.encode() + b"&q=1") is ErrorCode.INVALID_REQUEST
    longest = b"a=" + b"x" * (form.MAX_BODY - 2)
    assert len(form.parse(TYPE, longest)["a"]) == form.MAX_BODY - 2
    assert code(TYPE, longest + b"x") is ErrorCode.CONTENT_TOO_LARGE


def test_a_refusal_never_carries_the_value() -> None:
    """An error's text ends up in journals."""
    with pytest.raises(ProtocolError) as refused:
        form.parse(TYPE, b"client_secret=hunter2%ff")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
