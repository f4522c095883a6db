from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauth_server import clients
from oauth_server.errors import OperatorError
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm, AuthMethod, GrantType
from oauth_server.protocol import client_secret

HASH = client_secret.digest("secret")


def confidential(**changes: Any) -> dict[str, Any]:
    entry = {
        "client_id": "gateway_01",
        "grant_types": ["client_credentials"],
        "scope": "telemetry:read telemetry:write",
        "client_secret_hash": HASH,
        **changes,
    }
    return {name: value for name, value in entry.items() if value is not None}


def public(**changes: Any) -> dict[str, Any]:
    return {
        "client_id": "app",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "telemetry:read",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1/callback"],
        **changes,
    }


def write(directory: Path, document: object) -> Path:
    path = directory / "clients.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return path


def problems(directory: Path, document: object) -> list[str]:
    path = write(directory, document)
    with pytest.raises(OperatorError) as refused:
        clients.load(path)
    start = f"{path}: "
    assert all(line.startswith(start) and "\n" not in line for line in refused.value.problems)
    return [line.removeprefix(start) for line in refused.value.problems]


def test_clients_are_found_by_their_id(tmp_path: Path) -> None:
    entries = [
        confidential(
            client_name="Gateway",
            token_endpoint_auth_method="client_secret_post",
            audience=["https://api.example.com"],
            redirect_uris=["https://api.infrastructure.com/callback"],
        ),
        public(),
    ]
    loaded = clients.load(write(tmp_path, {"clients": entries}))
    assert list(loaded) == ["gateway_01", "app"]
    gateway, app = loaded.values()
    assert gateway.token_endpoint_auth_method is AuthMethod.CLIENT_SECRET_POST
    assert gateway.grant_types == (GrantType.CLIENT_CREDENTIALS,)
    assert gateway.client_secret_hash == HASH
    assert gateway.audience == ("https://api.example.com",)
    assert app.token_endpoint_auth_method is AuthMethod.NONE


def test_the_method_is_basic_if_none_is_named(tmp_path: Path) -> None:
    """RFC 7591 §2."""
    loaded = clients.load(write(tmp_path, {"clients": [confidential()]}))
    assert loaded["gateway_01"].token_endpoint_auth_method is AuthMethod.CLIENT_SECRET_BASIC


def test_there_may_be_no_clients(tmp_path: Path) -> None:
    assert clients.load(write(tmp_path, {"clients": []})) == {}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (5, "clients[0]: must be an object"),
        ({}, "clients[0].client_id: is missing"),
        (confidential(client_id=""), "clients[0].client_id: must be 1 to 128"),
        (confidential(client_id="a b"), "clients[0].client_id: must be 1 to 128"),
        (confidential(client_id="a\n"), "clients[0].client_id: must be 1 to 128"),
        (confidential(client_id=5), "clients[0].client_id: must be str"),
        (confidential(client_name="a\u202eb"), "clients[0].client_name: must be printable"),
        (confidential(scope=""), "clients[0].scope: must be scopes with one space"),
        (confidential(scope="a  b"), "clients[0].scope: must be scopes with one space"),
        (confidential(scope=None), "clients[0].scope: is missing"),
        (confidential(grant_types=[]), "clients[0].grant_types: must be array of length >= 1"),
        (confidential(grant_types=["implicit"]), "clients[0].grant_types[0]: is not one of"),
        (confidential(grant_type=[]), "clients[0].grant_type: is not known; did you mean"),
        (confidential(scope="a" * 4097), "clients[0]: scope and audience have more than 4096"),
        (confidential(audience=["a b"]), "clients[0].audience[0]: must be ASCII without spaces"),
        (
            confidential(redirect_uris=["https://a.example", "http://a.example"]),
            "clients[0].redirect_uris[1]: must be https: http is for the literals",
        ),
        (confidential(client_secret_hash=None), "clients[0].client_secret_hash: is missing"),
        (
            confidential(client_secret_hash="hunter2"),
            "clients[0].client_secret_hash: must be sha256: and 64 hex digits",
        ),
        (
            confidential(token_endpoint_auth_method="none"),
            "clients[0].client_secret_hash: must be absent for a public client",
        ),
        (
            public(grant_types=["client_credentials"]),
            "clients[0].grant_types: client_credentials is for confidential clients",
        ),
        (public(redirect_uris=[]), "clients[0].redirect_uris: must not be empty"),
        (
            public(token_endpoint_auth_method="tls_client_auth"),
            "clients[0].token_endpoint_auth_method: is not one of",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_rule(
    tmp_path: Path, entry: object, problem: str
) -> None:
    found = problems(tmp_path, {"clients": [entry]})
    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('{"clients": [}', "line 1, column 14: Expecting value"),
        ("[]", 'must be {"clients": [ … ]}'),
        ('{"clients": {}}', 'must be {"clients": [ … ]}'),
        ('{"clients": [], "client": []}', "client: is not known"),
        ('{"clients": [], "clients": []}', "is not JSON: clients is given twice in one object"),
        ('{"clients": [{"scope": "a", "scope": "b"}]}', "is not JSON: scope is given twice"),
        ('{"clients": [], "a\\nb": 1, "a\\nb": 2}', "is not JSON: 'a\\nb' is given twice"),
        ('{"clients": [NaN]}', "is not JSON: NaN is not a JSON value"),
        ("[" * 100_000, "is not JSON"),
        ('{"clients": [' + "9" * 5000 + "]}", "is not JSON"),
    ],
)
def test_a_document_of_another_shape_is_refused(
    tmp_path: Path, document: str, problem: str
) -> None:
    found = problems(tmp_path, document)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_all_faults_of_all_entries_are_named_at_once(tmp_path: Path) -> None:
    entries = [
        confidential(scope="", client_id=""),
        confidential(redirect_uris=["x"]),
        public(scope=5),
    ]
    found = problems(tmp_path, {"clients": entries})
    assert [line.partition(": ")[0] for line in found] == [
        "clients[0].client_id", "clients[0].scope",
        "clients[1].redirect_uris[0]", "clients[2].scope",
    ]  # fmt: skip


def test_an_id_belongs_to_one_entry(tmp_path: Path) -> None:
    found = problems(tmp_path, {"clients": [confidential(), confidential()]})
    assert found == ["clients[1].client_id: belongs to an earlier entry already"]


def test_a_file_that_is_wrong_all_over_is_told_in_a_hundred_lines(tmp_path: Path) -> None:
    found = problems(tmp_path, {"clients": [0] * 1_000_000})
    assert found[99:] == ["clients[99]: must be an object", "has more faults than these"]


def test_a_name_is_shown_in_part(tmp_path: Path) -> None:
    found = problems(tmp_path, {"clients": [], "x" * 1_000_000: 1})
    assert found == ["x" * 64 + ": is not known"]


def test_a_name_twice_is_found_among_many_without_delay(tmp_path: Path) -> None:
    members = "".join(f'"{number}": 0, ' for number in range(200_000))
    found = problems(tmp_path, f'{{{members} "twice": 1, "twice": 2}}')
    assert found == ["is not JSON: twice is given twice in one object"]


def test_a_file_of_thousands_of_clients_is_read(tmp_path: Path) -> None:
    entries = [confidential(client_id=f"gateway_{number}") for number in range(5000)]
    assert len(clients.load(write(tmp_path, {"clients": entries}))) == 5000


def test_a_value_is_never_repeated(tmp_path: Path) -> None:
    """Who puts the secret where its hash belongs should not find it in a deploy's output."""
    entry = confidential(client_secret_hash="hunter2", scope=["hunter2"], grant_types=["hunter2"])
    assert "hunter2" not in "".join(problems(tmp_path, {"clients": [entry]}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@pytest.mark.parametrize("start", [confidential(), public()], ids=["confidential", "public"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_entry_has_is_accepted_or_refused_in_lines(
    tmp_path: Path, start: dict[str, Any], data: st.DataObject
) -> None:
    names = st.sampled_from([*start, "jwks", "audience", "resource", "client_name"]) | st.text()
    changes = data.draw(st.dictionaries(names, json_values | st.lists(st.text()), max_size=4))
    path = write(tmp_path, {"clients": [{**start, **changes}]})
    try:
        loaded = clients.load(path)
    except OperatorError as error:
        assert all(line and line.isprintable() for line in error.problems)  # noqa: PT017
        return
    for client in loaded.values():
        assert not any("javascript" in uri for uri in client.redirect_uris)


JWK = PrivateKey.generate(Algorithm.ES256).public.to_jwk()


def with_keys(*keys: object, **changes: Any) -> dict[str, Any]:
    entry = {
        "token_endpoint_auth_method": "private_key_jwt",
        "client_secret_hash": None,
        "jwks": {"keys": list(keys)},
    }
    return confidential(**{**entry, **changes})


def test_a_client_may_have_keys_instead_of_a_secret(tmp_path: Path) -> None:
    """RFC 7591 §2."""
    entry = with_keys(JWK, {**JWK, "kid": "next"}, resource="https://api.example.com")
    loaded = clients.load(write(tmp_path, {"clients": [entry]}))["gateway_01"]
    assert loaded.jwks is not None
    assert [key["kid"] for key in loaded.jwks.keys] == [JWK["kid"], "next"]
    assert loaded.resource == "https://api.example.com"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (with_keys(jwks=None), "clients[0].jwks: is missing"),
        (with_keys(), "clients[0].jwks.keys: must be array of length >= 1"),
        (with_keys(*[JWK] * 11), "clients[0].jwks.keys: must be array of length <= 10"),
        (with_keys(JWK, JWK), "clients[0].jwks.keys[1]: its kid belongs to an earlier key"),
        (with_keys({**JWK, "d": "x"}), "clients[0].jwks.keys[0]: has private members"),
        (with_keys({**JWK, "kid": 1}), "clients[0].jwks.keys[0]: kid must be"),
        (
            with_keys(JWK, client_secret_hash=HASH),
            "clients[0].client_secret_hash: must be absent for a client (private_key_jwt)",
        ),
        (confidential(jwks={"keys": [JWK]}), "clients[0].jwks: is for private_key_jwt"),
        (confidential(resource="a b"), "clients[0].resource: must be ASCII without spaces"),
        (public(resource="https://a"), "clients[0].resource: is for a client that can"),
    ],
)
def test_keys_that_are_none_are_refused(
    tmp_path: Path, entry: dict[str, Any], problem: str
) -> None:
    (found,) = problems(tmp_path, {"clients": [entry]})
    assert found.startswith(problem)
