"""roles.secrets: read from where the inventory says, and shown nowhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from roles.secrets import SecretError, Source

SECRET = "correct-horse-battery-staple"
PRINT = (sys.executable, "-c", f"print({SECRET!r})")


def test_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCULLIS_TEST_SECRET", SECRET)
    assert Source(env="PORTCULLIS_TEST_SECRET").read().unmask() == SECRET


def test_it_comes_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n\n")
    assert Source(file=path).read().unmask() == f"{SECRET}\n"


def test_it_comes_from_a_command() -> None:
    assert Source(command=PRINT).read().unmask() == SECRET


def test_a_command_is_asked_once_a_run(tmp_path: Path) -> None:
    """A password manager that asks for a passphrase must not ask for each host."""
    script = f"open({str(tmp_path / 'asked')!r}, 'a').write('x'); print('y')"
    source = Source(command=(sys.executable, "-c", script))
    for same in (source, source.model_copy()):
        same.read()
    assert (tmp_path / "asked").read_text() == "x"


def test_it_is_masked_wherever_it_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "masked"
    path.write_text(SECRET)
    secret = Source(file=path).read()
    assert SECRET not in f"{secret} {secret!r}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source(env="PORTCULLIS_NOT_SET"), "environment variable PORTCULLIS_NOT_SET is empty"),
        (Source(file=Path("/nowhere")), "file /nowhere cannot be read: No such file or directory"),
        (Source(file=Path("/")), "file / cannot be read: Is a directory"),
        (Source(command=("nowhere",)), "command nowhere cannot be run: No such file or directory"),
        (Source(command=("true",)), "command true is empty"),
        (
            Source(command=(sys.executable, "-c", f"print({SECRET!r}); raise SystemExit(3)")),
            f"command {sys.executable} failed with exit code 3",
        ),
        (
            Source(command=(sys.executable, "-c", "import os; os.write(1, b'\\xff')")),
            f"command {sys.executable} cannot be run: it is not UTF-8 text",
        ),
    ],
)
def test_what_cannot_be_read_names_the_place_and_nothing_else(source: Source, message: str) -> None:
    """Arguments may carry what no log should keep, so a command is its first word."""
    with pytest.raises(SecretError) as failed:
        source.read()
    assert str(failed.value) == message
    assert failed.value.__cause__ is None


def test_the_key_that_wanted_it_comes_first() -> None:
    with pytest.raises(SecretError) as failed:
        Source(env="PORTCULLIS_NOT_SET").read("web-1: clients[0].client_secret")
    assert str(failed.value) == (
        "web-1: clients[0].client_secret: environment variable PORTCULLIS_NOT_SET is empty"
    )


def test_bytes_that_are_no_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PORTCULLIS_TEST_BYTES", os.fsdecode(b"\xff"))
    with pytest.raises(SecretError, match=r"TEST_BYTES cannot be used: it is not UTF-8 text"):
        Source(env="PORTCULLIS_TEST_BYTES").read()


@pytest.mark.parametrize(
    "places", [{}, {"env": "A", "file": "/a"}, {"command": []}, {"value": SECRET}, {"env": None}]
)
def test_a_source_names_exactly_one_place(places: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Source.model_validate(places)
    assert SECRET not in str(refused.value)
