"""What the audit asks of the ring, on a ring."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.audit.test_keys import QUESTIONS

# A kid is a thumbprint in base64url (RFC 7638 §3.1): any of its characters may be the first.
_KIDS = ("-ug04Zlt276a8gajc9w7hZ2r14xuZEBK0EoC5VrGybk", "A5VrGybk", "_a")


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    for kid in _KIDS:
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "ring" / kid).mkdir(parents=True)
        (tmp_path / "ring" / kid / "private.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (tmp_path / "ring" / kid / "public.pem").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        (tmp_path / "ring" / kid / "times.json").write_text(f'{{\n"kid": "{kid}"\n}}\n')
    (tmp_path / "ring" / "active").symlink_to(_KIDS[0])
    return tmp_path


def _asked(question: str, keys: Path) -> str:
    command = QUESTIONS[question].replace("/etc/oauth2/keys", str(keys))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_key_of_the_ring_is_looked_at_whatever_its_name_begins_with(ring: Path) -> None:
    """A name that began with a hyphen was taken for an option."""
    seen = {line.partition("|")[0] for line in _asked("ring", ring).splitlines()}
    for kid in (*_KIDS, "active"):
        assert {f"{kid}/", f"{kid}/private.pem", f"{kid}/public.pem"} <= seen


def test_the_times_of_every_key_are_read_a_line_each(ring: Path) -> None:
    *lines, now = _asked("times", ring).splitlines()
    assert sorted(lines) == sorted(f'{kid}/ {{"kid": "{kid}"}}' for kid in _KIDS)
    assert now.startswith("now/ ")


def test_a_key_without_a_private_half_says_where_it_is(ring: Path) -> None:
    """Destroyed, for one that is retired; or on a token."""
    for kid in _KIDS[1:]:
        (ring / "ring" / kid / "private.pem").unlink()
    (ring / "ring" / _KIDS[2] / "pkcs11.uri").write_text("pkcs11:token=x")
    said = _asked("halves", ring)
    assert said.count("= private half\ndestroyed\n") == 1
    assert said.count("= private half\ntoken\n") == 1


def test_both_halves_of_every_key_are_read(ring: Path) -> None:
    said = _asked("halves", ring)
    assert said.count("-----BEGIN PUBLIC KEY-----") == 2 * len(_KIDS)
    for kid in _KIDS:
        assert f"= {kid}/\n" in said
