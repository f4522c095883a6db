"""`oauth-server keys verify`: one lineage from the private half to what verifiers are served.

This is what stands behind `signature_invalid`: somewhere two that should be one key are not. Each
finding names the file, and the fingerprint on each side.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from oauth_server import files
from oauth_server.cli import keys_neighbours
from oauth_server.cli.keys_finding import Finding
from oauth_server.cli.keys_shown import table
from oauth_server.errors import OperatorError
from oauth_server.keys import jwk
from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.jose import KeyFormatError, PrivateKey, PublicKey
from oauth_server.keys.layout import ACTIVE, PRIVATE, PUBLIC, RING, SHORTCUTS
from oauth_server.keys.transitions import Policy
from oauth_server.output import say
from oauth_server.protocol.metadata import JWKS_PATH
from oauth_server.settings import Settings

_TIMEOUT = 5.0
_FOLLOWING, _AGAIN = 15.0, 0.5
"""So many seconds after a change of the ring what is wrong is looked at again, and how often."""
_MAX_BYTES = 1024 * 1024
_SIGNS = re.compile(r'^oauth_server_signing_key_info\{alg="[^"]*",kid="([^"]*)"\} 1', re.MULTILINE)


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def add_options(parser: argparse.ArgumentParser) -> None:
    for name, default, what in (
        ("--metrics", "127.0.0.1:9464", "where the running server says which key signs"),
        ("--server", "127.0.0.1:8443", "where it serves the key set, over TLS"),
    ):
        parser.add_argument(
            name, type=_address, metavar="HOST:PORT", default=_address(default),
            help=f"{what} ({default})",
        )  # fmt: skip


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("must be HOST:PORT")
    return Address(host.strip("[]"), int(port))


@dataclass(frozen=True)
class Subject:
    """What is verified."""

    settings: Settings
    policy: Policy
    directory: Path
    metrics: Address
    server: Address

    @property
    def ring(self) -> Path:
        return self.directory / RING


Check = Callable[[Subject, Sequence[Entry]], Iterator[Finding]]


def run(subject: Subject, *, as_json: bool) -> int:
    """0 if all is one. Raises OperatorError for a ring that cannot be read at all."""
    findings = _findings(subject)
    while (wrong := not all(finding.ok for finding in findings)) and _is_being_followed(subject):
        time.sleep(_AGAIN)
        findings = _findings(subject)
    ok = not wrong
    if as_json:
        document = {"ok": ok, "findings": findings}
        say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        say("\n".join(_shown(finding) for finding in findings))
    return 0 if ok else 1


def _findings(subject: Subject) -> list[Finding]:
    found = key_ring.read(subject.ring, subject.policy.algorithm)
    return [finding for check in CHECKS for finding in check(subject, found)]


def _is_being_followed(subject: Subject) -> bool:
    """Whether the ring changed so lately that the server need not serve it yet."""
    return 0 <= time.time() - subject.ring.stat().st_mtime < _FOLLOWING


def _shown(finding: Finding) -> str:
    line = f"{'ok   ' if finding.ok else 'WRONG'}  {finding.what}"
    if finding.ok or not finding.sides:
        return line
    sides = table([("", where, fingerprint) for where, fingerprint in finding.sides.items()])
    return "\n".join([line, *(f"     {side}" for side in sides.splitlines())])


def _halves(subject: Subject, found: Sequence[Entry]) -> Iterator[Finding]:
    """Both halves of each key, wherever the private one is."""
    for entry in found:
        name = f"{entry.path} ({entry.state.value})"
        if not entry.has_private:
            ok = entry.state is State.RETIRING
            yield Finding(
                ok=ok,
                what=f"{name}: its private half is destroyed" if ok
                else f"{name}: has no private half, and cannot sign",
            )  # fmt: skip
            continue
        private = entry.path / PRIVATE
        if os.path.lexists(private):
            yield _pair(name, entry, private)
            continue
        try:
            subject.policy.source.prove(entry.path, entry.public)
        except OperatorError as error:
            yield Finding(ok=False, what=f"{name}: {error}")
        else:
            yield Finding(ok=True, what=f"{name}: the token holds its private half")


def _pair(name: str, entry: Entry, private: Path) -> Finding:
    try:
        pem, mode = files.read(private, through_link=False)
        key = PrivateKey.from_pem(pem, entry.public.algorithm)
    except (OperatorError, KeyFormatError) as error:
        return Finding(ok=False, what=f"{private}: {error}")
    sides = {
        str(private): key.public.fingerprint, str(entry.path / PUBLIC): entry.public.fingerprint
    }  # fmt: skip
    if key.public.fingerprint != entry.public.fingerprint:
        what = f"{private}: is not the private half of {entry.path / PUBLIC}"
        return Finding(ok=False, what=what, sides=sides)
    if mode & 0o077:
        return Finding(ok=False, what=f"{private}: others can reach it (mode {mode:04o})")
    return Finding(ok=True, what=f"{name}: private and public half are one pair", sides=sides)


def _shortcuts(subject: Subject, _: Sequence[Entry]) -> Iterator[Finding]:
    for name, file in SHORTCUTS.items():
        link, target = subject.directory / name, f"{RING}/{ACTIVE}/{file}"
        led = str(link.readlink()) if link.is_symlink() else None
        ok = led == target
        yield Finding(
            ok=ok,
            what=f"{link}: leads through the active key" if ok
            else f"{link}: must be a symbolic link to {target}; `keys init` makes one",
        )  # fmt: skip


def _running(subject: Subject, found: Sequence[Entry]) -> Iterator[Finding]:
    """The kid that the server signs with, by its own word."""
    where = f"the running server ({subject.metrics})"
    active = next((entry.kid for entry in found if entry.is_active), None)
    try:
        connection = http.client.HTTPConnection(
            subject.metrics.host, subject.metrics.port, timeout=_TIMEOUT
        )
        said = _get(connection, "/metrics").decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        yield Finding(ok=False, what=f"{where}: does not answer: {error}")
        return
    signs = next(iter(_SIGNS.findall(said)), None)
    if signs == active:
        yield Finding(ok=True, what=f"{where}: signs with {signs or 'no key yet'}")
        return
    yield Finding(
        ok=False,
        what=f"{where}: signs with {signs or 'no key'}, and {subject.ring / ACTIVE} leads to "
        f"{active or 'none'}; it follows within seconds, or its journal says why not",
    )


def _published(subject: Subject, found: Sequence[Entry]) -> Iterator[Finding]:
    """The key set that verifiers get, key by key."""
    where = f"the key set ({subject.server}{JWKS_PATH})"
    try:
        served = _key_set(subject)
    except (OSError, http.client.HTTPException, ValueError, KeyFormatError) as error:
        yield Finding(ok=False, what=f"{where}: cannot be read: {error}")
        return
    for entry in found:
        file, key = entry.path / PUBLIC, served.pop(entry.kid, None)
        if key is None:
            yield Finding(
                ok=False, what=f"{where}: lacks {entry.kid}",
                sides={str(file): entry.public.fingerprint, where: "-"},
            )  # fmt: skip
            continue
        sides = {str(file): entry.public.fingerprint, where: key.fingerprint}
        ok = (key.fingerprint, key.algorithm) == (entry.public.fingerprint, entry.public.algorithm)
        yield Finding(
            ok=ok,
            what=f"{where}: has {entry.kid}" if ok
            else f"{where}: has another key under the name {entry.kid} than {file}",
            sides=sides,
        )  # fmt: skip
    yield from _foreign(subject, where, served)


def _foreign(subject: Subject, where: str, served: Mapping[str, PublicKey]) -> Iterator[Finding]:
    """What is served beside the ring must be another server's of the fleet."""
    try:
        hosts = keys_neighbours.foreign(subject.settings)
    except OperatorError as error:
        yield Finding(ok=False, what=str(error))
        return
    for kid, key in served.items():
        host = hosts.get(kid)
        yield Finding(
            ok=host is not None,
            what=f"{where}: has {kid} of {host}" if host
            else f"{where}: has {kid}, which is not in {subject.ring}",
            sides={where: key.fingerprint},
        )  # fmt: skip


def _neighbours(subject: Subject, found: Sequence[Entry]) -> Iterator[Finding]:
    return keys_neighbours.neighbours(subject.settings, found)


def _key_set(subject: Subject) -> dict[str, PublicKey]:
    """By kid, from the server itself: known by its certificate, whoever signed that."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name = urlsplit(subject.settings.issuer).hostname or subject.server.host
    connection = http.client.HTTPSConnection(
        subject.server.host, subject.server.port, timeout=_TIMEOUT, context=context
    )
    connection.connect()
    expected = ssl.PEM_cert_to_DER_cert(_leaf(Path(subject.settings.certificate)))
    if connection.sock.getpeercert(binary_form=True) != expected:
        connection.close()
        raise ValueError(f"its certificate is not that of {subject.settings.certificate}")
    document = json.loads(_get(connection, JWKS_PATH, host=name))
    return {item["kid"]: jwk.read(item) for item in document["keys"]}


def _leaf(path: Path) -> str:
    text = files.read_text(path)
    end = "-----END CERTIFICATE-----"
    start = text.index("-----BEGIN CERTIFICATE-----")
    return text[start : text.index(end) + len(end)]


def _get(connection: http.client.HTTPConnection, path: str, host: str | None = None) -> bytes:
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"status {response.status}")
        return response.read(_MAX_BYTES)
    finally:
        connection.close()


CHECKS: Sequence[Check] = (_halves, _shortcuts, _running, _published, _neighbours)
"""Each yields a finding for whatever it looks at, good or bad."""
