from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.errors import ErrorCode, ProtocolError, ScopeNotRegisteredError
from oauth_server.protocol import scope

REGISTERED = "telemetry:read telemetry:write"


@given(st.text(st.sampled_from('telmry:radwi \n"'), max_size=40) | st.text(max_size=40))
def test_what_is_granted_is_registered(requested: str) -> None:
    try:
        granted = scope.granted(requested, REGISTERED)
    except ProtocolError:
        return
    assert set(granted.split(" ")) <= set(REGISTERED.split(" "))


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x180), max_size=20))
def test_a_well_formed_scope_is_what_the_grammar_says(text: str) -> None:
    """RFC 6749 §3.3, spelled out a second time."""
    allowed = {chr(c) for c in range(0x21, 0x7F)} - {'"', "\\"}
    tokens = text.split(" ")
    assert scope.is_well_formed(text) == all(token and set(token) <= allowed for token in tokens)


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        pytest.param(None, REGISTERED, id="rfc6749-3.3-omitted"),
        pytest.param("telemetry:write", "telemetry:write", id="fewer"),
        pytest.param(
            "telemetry:write telemetry:read", "telemetry:write telemetry:read", id="order"
        ),
        pytest.param("telemetry:read telemetry:read", "telemetry:read", id="twice"),
    ],
)
def test_registered_scopes_are_granted(requested: str | None, granted: str) -> None:
    assert scope.granted(requested, REGISTERED) == granted


@pytest.mark.parametrize(
    "requested",
    [
        pytest.param("admin", id="unknown"),
        pytest.param("telemetry:read admin", id="one-too-many"),
        pytest.param("TELEMETRY:READ", id="rfc6749-3.3-case"),
        pytest.param("telemetry", id="prefix"),
    ],
)
def test_a_scope_that_is_not_registered_refuses_the_request(requested: str) -> None:
    """Nothing is narrowed silently."""
    with pytest.raises(ScopeNotRegisteredError):
        scope.granted(requested, REGISTERED)


@pytest.mark.parametrize(
    "requested",
    ["telemetry:read ", " telemetry:read", "a  b", 'a"b', "a\\b", "a\tb", "telemetry:read\n", "é"],
)
def test_a_malformed_scope_is_told_apart_from_one_that_is_not_registered(requested: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        scope.granted(requested, REGISTERED)
    assert not isinstance(refused.value, ScopeNotRegisteredError)
    assert refused.value.code is ErrorCode.INVALID_SCOPE
