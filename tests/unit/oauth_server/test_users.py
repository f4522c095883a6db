from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server import users
from oauth_server.errors import OperatorError

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43


def entry(**changes: Any) -> dict[str, Any]:
    return {"username": "alice", "password_hash": HASH, **changes}


def write(directory: Path, document: object) -> Path:
    path = directory / "users.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return path


def problems(directory: Path, document: object) -> list[str]:
    path = write(directory, document)
    with pytest.raises(OperatorError) as refused:
        users.load(path)
    return [line.removeprefix(f"{path}: ") for line in refused.value.problems]


def test_users_are_found_by_their_name(tmp_path: Path) -> None:
    loaded = users.load(
        write(tmp_path, {"users": [entry(), entry(username="b.o_b@x-1", disabled=True)]})
    )
    assert list(loaded) == ["alice", "b.o_b@x-1"]
    assert loaded.is_active("alice")
    assert not loaded.is_active("b.o_b@x-1")
    assert not loaded.is_active("carol")
    assert loaded.managed_by is None


def test_without_a_file_there_are_no_users(tmp_path: Path) -> None:
    assert len(users.load(tmp_path / "users.json")) == 0


def test_a_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "users.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OperatorError, match="No such file"):
        users.load(tmp_path / "users.json")


def test_the_inventory_can_own_the_file(tmp_path: Path) -> None:
    assert users.load(write(tmp_path, {"managed_by": "deploy", "users": []})).managed_by == "deploy"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("[]", 'must be {"users": [ … ]}'),
        ('{"users": [], "users": []}', "is not JSON: users is given twice in one object"),
        ({"users": [], "people": []}, "people: is not known"),
        ({"users": [], "managed_by": "me"}, 'managed_by: must be "deploy", or absent'),
        ({"users": [entry(), entry()]}, "users[1].username: belongs to an earlier entry already"),
        ({"users": [{"username": "a"}]}, "users[0].password_hash: is missing"),
        (
            {"users": [entry(disable=True)]},
            "users[0].disable: is not known; did you mean disabled?",
        ),
    ],
)
def test_a_fault_is_named(tmp_path: Path, document: object, problem: str) -> None:
    assert problems(tmp_path, document) == [problem]


@pytest.mark.parametrize(
    "username", ["", "Alice", "-a", "a b", "a\n", "é", "a" * 65, "?", "a/b", "\u212aate"]
)
def test_a_username_has_one_spelling(tmp_path: Path, username: str) -> None:
    (problem,) = problems(tmp_path, {"users": [entry(username=username)]})
    assert problem.startswith("users[0].username: must be 1 to 64 lower case letters")


@pytest.mark.parametrize(
    "text",
    [
        "secret password",
        HASH + "\n",
        HASH.replace("argon2id", "argon2i"),
        HASH.replace("65536", "65535"),
        HASH.replace("t=3", "t=1"),
        HASH.replace("v=19", "v=16"),
        HASH[:-1],
        HASH[:-1] + "B",
    ],
)
def test_a_hash_that_would_take_another_time_is_refused(tmp_path: Path, text: str) -> None:
    """Different times would tell users apart."""
    (problem,) = problems(tmp_path, {"users": [entry(password_hash=text)]})
    assert problem.startswith("users[0].password_hash: must be Argon2id")
    assert text not in problem


def test_a_user_must_not_have_a_clients_name(tmp_path: Path) -> None:
    """RFC 9700 §4.15."""
    path = write(tmp_path, {"users": [entry()]})
    loaded = users.load(path)
    users.check_apart(path, loaded, ["bob"])
    with pytest.raises(OperatorError, match="alice: is a client_id"):
        users.check_apart(path, loaded, ["bob", "alice"])


@given(text=st.text())
def test_whatever_is_in_the_file_is_accepted_or_refused_in_lines(text: str) -> None:
    try:
        users.parse(Path("users.json"), text)
    except OperatorError as error:
        assert all(line and line.isprintable() for line in error.problems)  # noqa: PT017


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(
    members=st.dictionaries(
        st.sampled_from(["username", "password_hash", "disabled"]) | st.text(), json_values
    )
)
def test_whatever_an_entry_has_is_accepted_or_refused_in_lines(members: dict[str, Any]) -> None:
    try:
        users.parse(Path("users.json"), json.dumps({"users": [members]}))
    except OperatorError as error:
        assert all(line and line.isprintable() for line in error.problems)  # noqa: PT017
