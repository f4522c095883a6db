"""What root keeps of a lab."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.lab import places, record
from tests.lab.machine import LabError
from tests.lab.record import HostRecord, LabRecord

KNOWN = LabRecord(
    name="lab",
    checkout="/srv/checkout",
    network="10.213.0.0/24",
    client_secret="a",
    user_password="b",
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


def test_a_lab_that_was_never_made_has_none() -> None:
    assert record.load("other") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"hosts": [{}]}', b"null"])
def test_a_damaged_one_is_named_with_the_way_out(runtime: Path, content: bytes) -> None:
    (runtime / "record.json").write_bytes(content)
    with pytest.raises(LabError, match=r"record\.json is damaged: remove it, and `down` finds"):
        record.load("lab")
