from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oauth_server.errors import OperatorError
from oauth_server.fleet import identity, members
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from tests.unit.oauth_server.fleet.hosts import key

ONE, TWO = (identity.text(key()) for _ in range(2))
PUBLISHED = key().to_jwk()


def write(directory: Path, document: Any) -> Path:
    path = directory / "fleet.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def entry(**changes: Any) -> dict[str, Any]:
    return {"host": "one", "identity": ONE, **changes}


def test_without_a_file_there_is_no_fleet(tmp_path: Path) -> None:
    assert members.load(tmp_path / "fleet.json") is None


def test_a_host_finds_itself_and_the_others(tmp_path: Path) -> None:
    document = {
        "host": "one",
        "ca_file": "/etc/ca.pem",
        "members": [
            entry(),
            entry(
                host="two", identity=TWO, address="10.0.0.2", keys=[PUBLISHED], as_of=1_700_000_000
            ),
        ],
    }
    fleet = members.load(write(tmp_path, document))
    assert fleet is not None
    assert (fleet.host, fleet.hosts, fleet.ca_file) == ("one", ("one", "two"), Path("/etc/ca.pem"))
    (two,) = fleet.others
    assert (two.host, two.address, two.as_of) == ("two", "10.0.0.2", 1_700_000_000)
    assert identity.text(two.identity) == TWO
    assert [public.kid for public in two.keys] == [PUBLISHED["kid"]]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "line 1, column 2: Expecting property name enclosed in double quotes"),
        ([], "must be an object"),
        ({"members": []}, "host: is missing"),
        ({"host": "one", "more": 1}, "more: is not known"),
        ({"host": "-one"}, "host: must be letters, digits, dots, hyphens and _"),
        ({"host": "o\nne"}, "host: must be letters, digits, dots, hyphens and _"),
        ({"host": "one", "ca_file": "ca.pem"}, "ca_file: must be an absolute path"),
        ({"host": "one", "members": {}}, "members: must be array"),
        ({"host": "one", "members": [1]}, "members[0]: must be object"),
        ({"host": "one", "members": [{"identity": ONE}]}, "members[0].host: is missing"),
        (
            {"host": "one", "members": [entry(identity="AAAA")]},
            "members[0].identity: must be an Ed",
        ),
        ({"host": "one", "members": [entry(keys=[{}])]}, "members[0].keys: must be public JWKs"),
        (
            {"host": "one", "members": [entry(keys=[{**PUBLISHED, "d": "AAAA"}])]},
            "members[0].keys: must be public JWKs",
        ),
        ({"host": "one", "members": [entry(as_of=-1)]}, "members[0].as_of: must be int >= 0"),
        (
            {"host": "one", "members": [entry(address="a b")]},
            "members[0].address: must be a host's",
        ),
        (
            {"host": "one", "members": [entry(), entry(identity=TWO)]},
            "members[1].host: belongs to an earlier member already",
        ),
        (
            {"host": "one", "members": [entry(), entry(host="two")]},
            "members[1].identity: belongs to an earlier member already",
        ),
    ],
)
def test_a_file_that_is_not_valid_is_refused_whole(
    tmp_path: Path, document: Any, problem: str
) -> None:
    path = write(tmp_path, document)
    with pytest.raises(OperatorError) as refused:
        members.load(path)
    (line,) = refused.value.problems
    assert line.startswith(str(path))
    assert problem in line


def test_an_identity_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    made = identity.establish(tmp_path)
    private, public = tmp_path / identity.PRIVATE, tmp_path / identity.PUBLIC
    before = private.read_bytes()
    assert (private.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    assert made.public.algorithm is Algorithm.EDDSA
    # What was lost or opened of it is put back; the identity stays.
    public.unlink()
    private.chmod(0o644)
    again = identity.establish(tmp_path)
    assert again.public.kid == made.public.kid
    assert private.read_bytes() == before
    assert (private.stat().st_mode & 0o777, public.read_bytes()) == (0o600, made.public.to_pem())


def test_an_identity_that_others_can_read_is_refused(tmp_path: Path) -> None:
    identity.establish(tmp_path)
    (tmp_path / identity.PRIVATE).chmod(0o640)
    with pytest.raises(OperatorError, match="others than its owner can read"):
        identity.load(tmp_path)


@pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.ES256])
def test_a_signing_key_is_no_identity(tmp_path: Path, algorithm: Algorithm) -> None:
    path = tmp_path / identity.PRIVATE
    path.touch(0o600)
    path.write_bytes(PrivateKey.generate(algorithm).to_pem())
    with pytest.raises(OperatorError, match="is not an Ed25519 key"):
        identity.load(tmp_path)
