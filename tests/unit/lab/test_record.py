"""What root keeps of a lab."""

import json
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from oauth_server import passwords
from tests.lab import places, record
from tests.lab.machine import LabError
from tests.lab.record import HostRecord, LabRecord

KNOWN = LabRecord(
    name="lab",
    checkout="/srv/checkout",
    network="10.213.0.0/24",
    client_secret="a",
    user_password="b",
    user_password_hash="d",
    hosts=(HostRecord("lab-1", "debian-12", "c", "10.213.0.11"),),
)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "RUNTIME", tmp_path)
    (tmp_path / "lab").mkdir()
    return tmp_path / "lab"


def test_it_is_read_as_it_was_written() -> None:
    record.save(KNOWN)
    assert record.load("lab") == KNOWN
    assert KNOWN.subnet == IPv4Network("10.213.0.0/24")


def test_the_hash_of_its_users_password_is_one_that_the_server_takes_and_stays() -> None:
    """With a new salt at each deploy, a second one would have something to change."""
    made = record.create("lab")
    loaded = record.load("lab")
    assert loaded is not None
    assert loaded.user_password_hash == made.user_password_hash
    assert passwords.is_hash(made.user_password_hash)
    assert passwords.verifies(made.user_password, made.user_password_hash)


def test_a_lab_from_before_there_were_users_gets_a_hash(runtime: Path) -> None:
    old = {key: value for key, value in asdict(KNOWN).items() if key != "user_password_hash"}
    (runtime / "record.json").write_text(json.dumps(old))
    loaded = record.load("lab")
    assert loaded is not None
    assert passwords.verifies("b", loaded.user_password_hash)


def test_a_lab_that_was_never_made_has_none() -> None:
    assert record.load("other") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"hosts": [{}]}', b"null"])
def test_a_damaged_one_is_named_with_the_way_out(runtime: Path, content: bytes) -> None:
    (runtime / "record.json").write_bytes(content)
    with pytest.raises(LabError, match=r"record\.json is damaged: remove it, and `down` finds"):
        record.load("lab")
