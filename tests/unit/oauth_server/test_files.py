from __future__ import annotations

import os
from pathlib import Path

import pytest

from oauth_server import files
from oauth_server.errors import OperatorError


def test_content_and_mode_are_of_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o640)
    assert files.read(path) == (b"content", 0o640)


def test_a_pipe_that_nobody_writes_to_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OperatorError, match=r"/pipe: is not a regular file$"):
        files.read(path)


@pytest.mark.parametrize("path", ["/", "/dev/zero", "/dev/null", "/dev/ptmx"])
def test_a_directory_or_a_device_is_refused(path: str) -> None:
    with pytest.raises(OperatorError, match=f"{path}: is not a regular file$"):
        files.read(Path(path))


def test_a_link_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    link = tmp_path / "link"
    link.symlink_to("file")
    assert files.read(link)[0] == b"content"
    with pytest.raises(OperatorError, match=r"/link: "):
        files.read(link, through_link=False)


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2048)
    assert len(files.read(path, max_bytes=2048)[0]) == 2048
    path.write_bytes(b"x" * 2049)
    with pytest.raises(OperatorError, match=r"/file: is larger than 2 KiB$"):
        files.read(path, max_bytes=2048)


def test_refusals_leave_no_descriptor_behind(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    with pytest.raises(OperatorError):
        files.read(tmp_path)
    assert len(list(descriptors.iterdir())) == before
