from __future__ import annotations

from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys.pkcs11.pin import CREDENTIAL, Pin
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.pkcs11.refusal import Refusal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text("of the file\n")
    return path


def test_a_credential_of_systemds_comes_before_the_file(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Pin(file).read() == "of the file"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Pin(file).read() == "of the file"
    (tmp_path / CREDENTIAL).write_text("of systemd\r\n")
    assert Pin(file).read() == "of systemd"


def test_another_pin_in_the_file_is_read_but_not_by_a_command_that_kept_it(file: Path) -> None:
    server, command = Pin(file), Pin(file)
    command.keep()
    file.write_text("a new one\n")
    assert (server.read(), command.read()) == ("a new one", "of the file")


def test_a_pin_that_root_could_not_read_is_a_fault_for_who_needs_it_alone(tmp_path: Path) -> None:
    pin = Pin(tmp_path / "nowhere")
    pin.keep()
    with pytest.raises(OperatorError, match="nowhere: No such file"):
        pin.read()


def test_a_file_without_a_pin_is_named(file: Path) -> None:
    file.write_text("\n")
    with pytest.raises(OperatorError, match="has no PIN"):
        Pin(file).read()


def test_a_pin_is_in_no_repr(file: Path) -> None:
    pin = Pin(file)
    pin.keep()
    assert "of the file" not in repr(Access("/module.so", "token", pin)) + repr(pin)


def test_only_the_pin_that_was_refused_is_remembered_and_not_in_clear(tmp_path: Path) -> None:
    refusal = Refusal(tmp_path)
    assert not refusal.concerns("4711")
    refusal.note("4711")
    assert refusal.concerns("4711")
    assert not refusal.concerns("4712")
    assert "4711" not in refusal.path.read_text()
    assert refusal.path.stat().st_mode & 0o777 == 0o600
    refusal.forget()
    assert not refusal.concerns("4711")
    refusal.forget()
