"""Keys through their life on a token: made, activated, retired, and never forgotten there."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys import disk, lifecycle, ring, transitions
from oauth_server.keys.layout import PRIVATE, RING, TOKEN_URI
from oauth_server.keys.pkcs11 import process
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.source import TokenKeys
from oauth_server.keys.served import Served
from oauth_server.keys.source import FileKeys
from oauth_server.keys.timing import Timing
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.softhsm import LABEL, PIN, SoftHsm

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
LATER = NOW + timedelta(days=100)
HALVES = 2  # objects on the token for one key


@pytest.fixture
def policy(hsm: SoftHsm, keys: Path) -> Policy:
    return Policy(Algorithm.ES256, Timing(), TokenKeys(hsm.access, keys))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def served(keys: Path, since: datetime = NOW) -> Served:
    """This host has served all keys of its ring since then."""
    kids = [path.name for path in ring.entries(keys / RING)]
    return Served({kid: {"self": since} for kid in kids})


def test_a_first_key_and_a_pending_one_are_on_the_token_and_in_no_file(
    hsm: SoftHsm, policy: Policy, keys: Path
) -> None:
    kid, notes = lifecycle.init(keys, policy, NOW)
    assert not notes
    assert hsm.objects() == 2 * HALVES
    assert not list(keys.rglob(PRIVATE))
    loaded = ring.load(keys, source=policy.source)
    assert isinstance(loaded.active, TokenKey)
    assert loaded.active.public.kid == kid
    assert len(loaded.published) == 2
    for file in (keys / RING).glob(f"*/{TOKEN_URI}"):
        assert PIN not in file.read_text()


def test_a_key_cannot_be_taken_out_of_the_token(hsm: SoftHsm, policy: Policy, keys: Path) -> None:
    """As another program sees it."""
    lifecycle.init(keys, policy, NOW)
    seen = subprocess.run(
        ["pkcs11-tool", "--module", hsm.access.module, "--token-label", LABEL, "--login",
         "--pin", PIN, "--list-objects", "--type", "privkey"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    access = [line.split(":")[1] for line in seen.splitlines() if "Access:" in line]
    assert len(access) == 2
    for words in access:
        assert {"sensitive", "always sensitive", "never extractable", "local"} == {
            word.strip() for word in words.split(",")
        }


def test_a_key_that_was_rotated_out_is_destroyed_with_its_entry_and_not_before(
    hsm: SoftHsm, policy: Policy, keys: Path
) -> None:
    """A server that follows the ring signs with it until it has seen the rotation."""
    old, _ = lifecycle.init(keys, policy, NOW)
    done = lifecycle.rotate(keys, policy, LATER, served(keys))
    assert (done.previous, done.notes) == (old, [])
    loaded = ring.load(keys, source=policy.source)
    assert old in {key.kid for key in loaded.published}
    assert hsm.objects() == 3 * HALVES
    assert lifecycle.retire(keys, policy, LATER + timedelta(days=1)).removed == [old]
    assert not (keys / RING / old).exists()
    assert hsm.objects() == 2 * HALVES


def test_from_files_to_a_token_is_a_rotation(hsm: SoftHsm, policy: Policy, keys: Path) -> None:
    files = Policy(Algorithm.ES256, Timing(), FileKeys())
    old, _ = lifecycle.init(keys, files, NOW)
    lifecycle.prepare(keys, policy, NOW)
    before = ring.load(keys, source=policy.source)
    assert before.active is not None
    assert before.active.public.kid == old
    assert hsm.objects() == HALVES
    entries = ring.read(keys / RING)
    due = lifecycle.due(entries, policy)
    assert due is not None
    assert due <= NOW
    lifecycle.rotate(keys, policy, LATER, served(keys))
    after = ring.load(keys, source=policy.source)
    assert isinstance(after.active, TokenKey)
    assert not list(keys.rglob(PRIVATE))


def test_settings_without_the_token_are_refused_while_keys_are_on_it(
    policy: Policy, keys: Path
) -> None:
    lifecycle.init(keys, policy, NOW)
    with pytest.raises(OperatorError, match=r"pkcs11\.uri: the key is on a PKCS#11 token"):
        ring.load(keys, source=FileKeys())


def test_a_key_of_another_token_is_named_so(hsm: SoftHsm, policy: Policy, keys: Path) -> None:
    lifecycle.init(keys, policy, NOW)
    other = TokenKeys(process.Access(hsm.access.module, "other", hsm.access.pin), keys)
    with pytest.raises(OperatorError, match=r"is on the token .*token is 'other'"):
        ring.load(keys, source=other)


def test_a_key_that_a_killed_run_made_is_found_and_destroyed(
    hsm: SoftHsm, policy: Policy, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was on the disk before it was on the token."""
    lifecycle.init(keys, policy, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "finish", _killed)
        with pytest.raises(KilledError):
            transitions.make(keys / RING, policy, NOW)
    assert hsm.objects() == 3 * HALVES
    lifecycle.prepare(keys, policy, NOW)
    assert hsm.objects() == 2 * HALVES


def test_a_key_that_is_over_goes_from_the_token_when_that_is_there_again(
    hsm: SoftHsm, policy: Policy, keys: Path
) -> None:
    lifecycle.init(keys, policy, NOW)
    lifecycle.rotate(keys, policy, LATER, served(keys))
    with hsm.away():
        notes = lifecycle.retire(keys, policy, LATER + timedelta(days=1)).notes
    assert any("there is none" in note for note in notes)
    assert len(ring.load(keys, source=policy.source).published) == 2
    assert hsm.objects() == 3 * HALVES
    lifecycle.prepare(keys, policy, LATER + timedelta(days=1))
    assert hsm.objects() == 2 * HALVES


def test_an_emergency_destroys_the_key_at_once(hsm: SoftHsm, policy: Policy, keys: Path) -> None:
    old, _ = lifecycle.init(keys, policy, NOW)
    done = lifecycle.emergency(keys, policy, LATER, served(keys), old)
    assert not done.notes
    assert done.active != old
    # The active key, which was pending, and the next one.
    assert hsm.objects() == 2 * HALVES


def test_a_rotation_without_the_token_changes_nothing(
    hsm: SoftHsm, policy: Policy, keys: Path
) -> None:
    old, _ = lifecycle.init(keys, policy, NOW)
    with hsm.away(), pytest.raises(OperatorError, match=r"of tokens labelled .* there is none"):
        lifecycle.rotate(keys, policy, LATER, served(keys))
    loaded = ring.load(keys, source=policy.source)
    assert loaded.active is not None
    assert loaded.active.public.kid == old


def test_what_the_token_cannot_do_is_told_and_nothing_is_left_behind(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SoftHsm.make(tmp_path / "plain", mechanisms="-CKM_EC_EDWARDS_KEY_PAIR_GEN,CKM_EDDSA")
    monkeypatch.setenv("SOFTHSM2_CONF", str(plain.configuration))
    policy = Policy(Algorithm.EDDSA, Timing(), TokenKeys(plain.access, keys))
    with pytest.raises(OperatorError, match="the token cannot do this"):
        lifecycle.init(keys, policy, NOW)
    assert plain.objects() == 0


def test_a_wrong_pin_is_one_line_without_it(hsm: SoftHsm, policy: Policy, keys: Path) -> None:
    hsm.pin_file.write_text("not-the-pin\n")
    with pytest.raises(OperatorError) as refused:
        lifecycle.init(keys, policy, NOW)
    assert str(refused.value) == f"signing.pkcs11: token {LABEL}: the token refused the PIN"


def test_a_pin_that_was_refused_is_not_tried_again_by_any_run(
    hsm: SoftHsm, policy: Policy, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer would lock the token within the hour."""
    lifecycle.init(keys, policy, NOW)
    start, tried = process.start, [0]

    def counted(access: process.Access) -> object:
        tried[0] += 1
        return start(access)

    monkeypatch.setattr(process, "start", counted)
    for attempt, wrong in enumerate(("not-the-pin\n", "another-wrong-one\n"), start=1):
        hsm.pin_file.write_text(wrong)
        for _ in range(3):
            with pytest.raises(OperatorError, match="PIN"):
                lifecycle.rotate(keys, policy, LATER, served(keys))
        assert tried[0] == attempt
    hsm.pin_file.write_text(f"{PIN}\n")
    lifecycle.rotate(keys, policy, LATER, served(keys))
    assert not list(keys.glob(".refused*"))


def test_a_module_that_crashes_is_one_line(hsm: SoftHsm, keys: Path) -> None:
    """It takes its own process down, and neither the command nor the server."""
    access = process.Access("/usr/lib/x86_64-linux-gnu/libc.so.6", LABEL, hsm.access.pin)
    policy = Policy(Algorithm.ES256, Timing(), TokenKeys(access, keys))
    with pytest.raises(OperatorError, match="the module cannot be loaded"):
        lifecycle.init(keys, policy, NOW)


class KilledError(BaseException):
    """As if the process had ended here."""


def _killed(*_: object) -> None:
    raise KilledError


def _away(*_: object) -> None:
    raise OperatorError("pulled out")
