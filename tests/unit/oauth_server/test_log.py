from __future__ import annotations

import os
import re
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server import log
from oauth_server.errors import OperatorError

WHEN = datetime(2026, 11, 23, 3, 41, 36, 123456, tzinfo=timezone.utc)
HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\r\n\0 =%\u2028\u2029\x85\x1b\t\v\f")), max_size=40
)


def test_the_format_is_the_documented_one() -> None:
    written = log.line(
        WHEN, "203.0.113.7", 401, "invalid_client", "token", {"client_id": "gateway_01"}
    )
    assert written == (
        b"2026-11-23T03:41:36.123Z 203.0.113.7 401 invalid_client token client_id=gateway_01\n"
    )


def test_a_log_that_is_a_pipe_without_a_reader_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OperatorError, match=r"/log: the log cannot be opened: "):
        log.LogFile(tmp_path / "log")


def test_what_there_is_not_is_a_hyphen() -> None:
    assert log.line(WHEN, "", 200, "", "token", {}) == b"2026-11-23T03:41:36.123Z - 200 - token\n"


def test_time_is_utc_wherever_the_clock_is() -> None:
    elsewhere = WHEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert log.line(elsewhere, "", 200, "", "token", {}).startswith(b"2026-11-23T03:41:36.123Z ")


@given(HOSTILE, HOSTILE, HOSTILE, st.dictionaries(HOSTILE, HOSTILE, max_size=4))
def test_nothing_makes_a_second_line_or_moves_a_field(
    address: str, error: str, event: str, fields: dict[str, str]
) -> None:
    written = log.line(WHEN, address, 401, error, event, fields)
    text = written.decode("ascii")
    assert text.splitlines(keepends=True) == [text]
    assert text.endswith("\n")
    parts = text[:-1].split(" ")
    assert len(parts) == 5 + len(fields)
    assert parts[0] == "2026-11-23T03:41:36.123Z"
    assert parts[1] == (log.encode(address) or "-")
    assert parts[2] == "401"
    assert all(re.fullmatch(r"[A-Za-z0-9._:/%-]*=[A-Za-z0-9._:/%-]*", pair) for pair in parts[5:])


@given(st.text(max_size=200))
def test_a_value_can_be_decoded_again(value: str) -> None:
    assert unquote(log.encode(value)) == value


def test_values_are_bounded() -> None:
    assert len(log.encode("\U0001f512" * 10_000)) == 256 * 4 * 3


def test_a_new_file_is_for_the_owner_and_its_group_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        log.LogFile(tmp_path / "log")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o640


def test_a_file_that_is_there_keeps_its_lines_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    path.chmod(0o600)
    log.LogFile(path).write(b"new\n")
    assert path.read_bytes() == b"old\nnew\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_reopening_goes_on_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = log.LogFile(path)
    file.write(b"1\n")
    path.rename(tmp_path / "log.1")
    file.write(b"2\n")
    file.reopen()
    file.write(b"3\n")
    assert (tmp_path / "log.1").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


def test_without_a_new_file_the_old_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    file = log.LogFile(directory / "log")
    directory.rename(tmp_path / "moved")
    file.reopen()
    file.write(b"still here\n")
    assert (tmp_path / "moved" / "log").read_bytes() == b"still here\n"
    assert "log: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("obstacle", ["missing/log", "directory", "link"])
def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperatorError, match=f"{obstacle}: the log cannot be opened: "):
        log.LogFile(tmp_path / obstacle)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_stops_nobody_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    file = log.LogFile(Path("/dev/full"))
    file.write(b"1\n")
    file.write(b"2\n")
    said = capsys.readouterr().err
    assert said == "oauth-server: /dev/full: No space left on device; events are being lost\n"


def test_a_line_that_was_cut_off_does_not_run_into_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = log.LogFile(tmp_path / "log")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, line: real(descriptor, line[:4]))
        file.write(b"first line\n")
    file.write(b"second line\n")
    assert (tmp_path / "log").read_bytes() == b"firs\nsecond line\n"


def test_a_question_mark_of_ours_is_not_one_that_a_client_sent() -> None:
    """`client_id=?` says that the client is unknown; nobody can be registered or logged so."""
    fields = {"ours": log.UNKNOWN, "theirs": "?"}
    line = log.line(datetime.now(timezone.utc), "192.0.2.1", 401, "invalid_client", "token", fields)
    assert line.endswith(b" ours=? theirs=%3F\n")
