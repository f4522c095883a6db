"""The key ring on disk: `ring/<kid>/{private.pem,public.pem}` and `ring/active`, a symlink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys.jose import KeyFormatError, PrivateKey, PublicKey
from oauth_server.models import Algorithm

RING = "ring"
ACTIVE = "active"
PRIVATE = "private.pem"
PUBLIC = "public.pem"


@dataclass(frozen=True)
class KeyRing:
    """The key that signs, and every public key that verifiers may need."""

    active: PrivateKey
    published: Sequence[PublicKey]


def load(directory: Path, algorithm: Algorithm = Algorithm.RS256) -> KeyRing:
    """The ring in a keys directory, each key checked, and the active one for the algorithm.

    Keys of other kinds may be published beside it, as after a change of the algorithm. Raises
    OperatorError.
    """
    ring = directory / RING
    try:
        found = entries(ring)
    except OSError as error:
        raise OperatorError(
            f"{ring}: {error.strerror}; `oauth-server keys init` makes it"
        ) from None
    # An RSA key could be for two algorithms, and has to be for one (RFC 8725 §3.1).
    rsa = algorithm if algorithm is Algorithm.PS256 else Algorithm.RS256
    active = load_private(ring / active_kid(ring), rsa)
    if active.public.algorithm is not algorithm:
        raise OperatorError(
            f"{ring / ACTIVE}: the key is for {active.public.algorithm.value}, "
            f"and signing.algorithm is {algorithm.value}"
        )
    return KeyRing(active=active, published=[load_public(entry, rsa) for entry in found])


def entries(ring: Path) -> Sequence[Path]:
    """Every key's directory, in order, without one that is still being made. Raises OSError."""
    return sorted(
        path for path in ring.iterdir() if path.name != ACTIVE and not path.name.startswith(".")
    )


def active_kid(ring: Path) -> str:
    """The kid that `ring/active` points to. Raises OperatorError."""
    link = ring / ACTIVE
    try:
        kid = str(link.readlink())
    except FileNotFoundError:
        raise OperatorError(f"{link}: there is none; `oauth-server keys init` makes it") from None
    except OSError:
        raise OperatorError(f"{link}: is not a symbolic link to a key of the ring") from None
    # One component: a link out of the ring would sign with a key that is not published.
    if kid in {"", ".", ".."} or "/" in kid or not (ring / kid).is_dir():
        raise OperatorError(f"{link}: does not point to a key of the ring")
    return kid


def load_private(entry: Path, rsa: Algorithm = Algorithm.RS256) -> PrivateKey:
    """The private key of a ring entry, if it matches the public one. Raises OperatorError."""
    path = entry / PRIVATE
    pem, mode = files.read(path, through_link=False)
    if mode & 0o077:
        raise OperatorError(
            f"{path}: others than its owner can read or change it (mode {mode:04o}, must be 0600)"
        )
    try:
        key = PrivateKey.from_pem(pem, rsa)
    except KeyFormatError as error:
        raise OperatorError(f"{path}: {error}") from None
    if key.public.kid != load_public(entry, rsa).kid:
        raise OperatorError(f"{path}: is not the private key of {entry / PUBLIC}")
    return key


def load_public(entry: Path, rsa: Algorithm = Algorithm.RS256) -> PublicKey:
    """The public key of a ring entry, if the entry is named after it. Raises OperatorError."""
    path = entry / PUBLIC
    try:
        key = PublicKey.from_pem(files.read(path, through_link=False)[0], rsa)
    except KeyFormatError as error:
        raise OperatorError(f"{path}: {error}") from None
    if key.kid != entry.name:  # RFC 7638: the kid is the key's thumbprint
        raise OperatorError(f"{path}: its thumbprint is {key.kid}, not its directory's name")
    return key
