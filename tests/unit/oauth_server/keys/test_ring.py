from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys import ring
from oauth_server.keys.entry import Times, save_times
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm

NOW = datetime(2026, 11, 25, tzinfo=timezone.utc)


def entry(directory: Path, key: PrivateKey) -> Path:
    return directory / "ring" / key.public.kid


def refusal(directory: Path) -> str:
    with pytest.raises(OperatorError) as refused:
        ring.load(directory)
    (problem,) = refused.value.problems
    return problem


def test_the_active_key_signs_and_all_keys_are_published(
    ring_directory: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    """A host publishes its fleet's keys, and of those it has the public part alone."""
    other = entry(ring_directory, other_key)
    other.mkdir()
    (other / "public.pem").write_bytes(other_key.public.to_pem())
    loaded = ring.load(ring_directory)
    assert loaded.signs_with == (key.public.kid, Algorithm.RS256)
    assert {public.kid for public in loaded.published} == {key.public.kid, other_key.public.kid}


def test_a_key_that_is_removed_while_the_ring_is_read_is_not_missed(
    ring_directory: Path,
    key: PrivateKey,
    other_key: PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The timer removes what is over whenever it likes, and readers have no lock."""
    other = entry(ring_directory, other_key)
    other.mkdir()
    (other / "public.pem").write_bytes(other_key.public.to_pem())
    entries = ring.entries

    def listed_just_before(directory: Path) -> list[Path]:
        found = [*entries(directory)]
        shutil.rmtree(other, ignore_errors=True)
        return found

    real = ring.mark
    marks = [real(ring_directory / "ring")]
    monkeypatch.setattr(ring, "mark", lambda path: marks.pop() if marks else real(path))
    monkeypatch.setattr(ring, "entries", listed_just_before)
    assert [found.kid for found in ring.read(ring_directory / "ring")] == [key.public.kid]


def test_a_key_that_is_still_being_made_is_not_published(ring_directory: Path) -> None:
    (ring_directory / "ring" / ".new-x").mkdir()
    assert len(ring.load(ring_directory).published) == 1


def test_a_ring_without_an_active_key_is_published_and_signs_nothing(
    ring_directory: Path, key: PrivateKey
) -> None:
    """As on a host that has joined a fleet."""
    (ring_directory / "ring" / "active").unlink()
    times = Times(algorithm=Algorithm.RS256, created=NOW, longest_lifetime=600)
    save_times(entry(ring_directory, key), times)
    loaded = ring.load(ring_directory)
    assert loaded.active is None
    assert [public.kid for public in loaded.published] == [key.public.kid]


def test_a_ring_whose_active_link_was_removed_is_refused(ring_directory: Path) -> None:
    """A server that runs keeps what it has, rather than to sign nothing."""
    active = ring_directory / "ring" / "active"
    active.unlink()
    assert refusal(ring_directory).startswith(f"{active}: there is none;")


def test_a_ring_without_a_key_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    assert refusal(tmp_path) == f"{tmp_path}/ring: has no key; `oauth-server keys init` makes one"


def test_a_missing_ring_says_how_to_make_it(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path}/ring: No such file or directory; `oauth-server keys init` makes it"
    )


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o620, 0o601])
def test_a_private_key_that_others_can_reach_is_refused(
    ring_directory: Path, key: PrivateKey, mode: int
) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.chmod(mode)
    assert refusal(ring_directory).startswith(f"{private}: others than its owner can read")


def test_a_private_key_through_a_link_is_refused(ring_directory: Path, key: PrivateKey) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.rename(ring_directory / "moved")
    private.symlink_to(ring_directory / "moved")
    assert refusal(ring_directory).startswith(f"{private}: ")


def test_a_pipe_in_place_of_a_key_blocks_nobody(ring_directory: Path, key: PrivateKey) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.unlink()
    os.mkfifo(private, 0o600)
    assert refusal(ring_directory) == f"{private}: is not a regular file"


def test_halves_of_two_pairs_are_refused(
    ring_directory: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.write_bytes(other_key.to_pem())
    assert (
        refusal(ring_directory)
        == f"{private}: is not the private key of {private.parent}/public.pem"
    )


def test_a_key_under_another_keys_name_is_refused(
    ring_directory: Path, other_key: PrivateKey
) -> None:
    wrong = ring_directory / "ring" / "wrong"
    wrong.mkdir()
    (wrong / "public.pem").write_bytes(other_key.public.to_pem())
    assert refusal(ring_directory) == (
        f"{wrong}/public.pem: its thumbprint is {other_key.public.kid}, not its directory's name"
    )


def test_rubbish_in_a_key_file_is_named(ring_directory: Path, key: PrivateKey) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.write_bytes(b"hunter2")
    assert refusal(ring_directory) == f"{private}: is not an unencrypted PEM private key"


def test_a_missing_half_is_named(ring_directory: Path, key: PrivateKey) -> None:
    private = entry(ring_directory, key) / "private.pem"
    private.unlink()
    assert refusal(ring_directory) == f"{private}: No such file or directory"


@pytest.mark.parametrize("target", ["nothing", "../elsewhere", "..", "."])
def test_an_active_link_out_of_the_ring_is_refused(
    ring_directory: Path, key: PrivateKey, target: str
) -> None:
    shutil.copytree(entry(ring_directory, key), ring_directory / "elsewhere")
    active = ring_directory / "ring" / "active"
    active.unlink()
    active.symlink_to(target)
    assert refusal(ring_directory) == f"{active}: does not point to a key of the ring"


def test_an_active_that_is_no_link_is_named(ring_directory: Path) -> None:
    active = ring_directory / "ring" / "active"
    active.unlink()
    active.mkdir()
    assert refusal(ring_directory) == f"{active}: is not a symbolic link to a key of the ring"


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.EDDSA])
def test_with_another_algorithm_in_the_settings_the_active_key_signs_until_a_rotation(
    ring_directory: Path, key: PrivateKey, algorithm: Algorithm
) -> None:
    loaded = ring.load(ring_directory, algorithm)
    assert loaded.signs_with == (key.public.kid, Algorithm.RS256)


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.EDDSA])
def test_keys_of_several_kinds_are_published_together(
    ring_directory: Path, key: PrivateKey, algorithm: Algorithm
) -> None:
    """As after a change of the algorithm: what the old key signed has still to be verified."""
    elliptic = PrivateKey.generate(algorithm)
    new = entry(ring_directory, elliptic)
    new.mkdir()
    (new / "private.pem").write_bytes(elliptic.to_pem())
    (new / "private.pem").chmod(0o600)
    (new / "public.pem").write_bytes(elliptic.public.to_pem())
    active = ring_directory / "ring" / "active"
    active.unlink()
    active.symlink_to(elliptic.public.kid)
    loaded = ring.load(ring_directory, algorithm)
    assert loaded.signs_with == (elliptic.public.kid, algorithm)
    assert {public.algorithm for public in loaded.published} == {algorithm, Algorithm.RS256}
    assert {public.kid for public in loaded.published} == {key.public.kid, elliptic.public.kid}


def test_an_rsa_key_is_for_one_algorithm(ring_directory: Path, key: PrivateKey) -> None:
    """RFC 8725 §3.1."""
    loaded = ring.load(ring_directory, Algorithm.PS256)
    assert loaded.signs_with == (key.public.kid, Algorithm.PS256)
    assert [public.to_jwk()["alg"] for public in loaded.published] == ["PS256"]
