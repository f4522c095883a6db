"""Keys are dear to make: one small one serves a whole run."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from oauth_server.keys.jose import PrivateKey


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def other_key() -> PrivateKey:
    return PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def ring_directory(tmp_path: Path, key: PrivateKey) -> Path:
    """A keys directory with one active key, written out by hand."""
    entry = tmp_path / "ring" / key.public.kid
    entry.mkdir(parents=True)
    (entry / "private.pem").write_bytes(key.to_pem())
    (entry / "private.pem").chmod(0o600)
    (entry / "public.pem").write_bytes(key.public.to_pem())
    (tmp_path / "ring" / "active").symlink_to(key.public.kid)
    return tmp_path
