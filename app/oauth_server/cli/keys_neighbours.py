"""The part of `oauth-server keys verify` that asks the fleet's other servers what they publish."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from oauth_server.cli.keys_finding import Finding
from oauth_server.errors import OperatorError
from oauth_server.fleet import members, record
from oauth_server.fleet.members import Fleet, Member
from oauth_server.keys import jwk
from oauth_server.keys.entry import Entry
from oauth_server.keys.jose import KeyFormatError, PublicKey
from oauth_server.protocol.metadata import JWKS_PATH
from oauth_server.settings import Settings

_PORT = 8443
_TIMEOUT = 5.0
_MAX_BYTES = 1024 * 1024


def foreign(settings: Settings) -> Mapping[str, str]:
    """The kids of other servers' keys that are published here, each with its host's name.

    Raises OperatorError.
    """
    known = record.load(Path(settings.state_directory) / record.FILE, settings.issuer).records
    return {key.kid: entry.host for entry in known.values() for key in entry.keys}


def neighbours(settings: Settings, found: Sequence[Entry]) -> Iterator[Finding]:
    """What each other server that has an address publishes of this ring, key by key."""
    try:
        fleet = members.load(Path(settings.fleet_file))
    except OperatorError as error:
        yield Finding(ok=False, what=str(error))
        return
    for member in () if fleet is None else fleet.others:
        if member.address is not None:
            yield from _neighbour(settings, fleet, member, found)


def _neighbour(
    settings: Settings, fleet: Fleet | None, member: Member, found: Sequence[Entry]
) -> Iterator[Finding]:
    where = f"{member.host} (https://{member.address}:{_PORT}{JWKS_PATH})"
    try:
        served = _key_set(settings, fleet, member)
    except (OSError, http.client.HTTPException, ValueError, KeyFormatError) as error:
        yield Finding(ok=False, what=f"{where}: cannot be read: {error}")
        return
    for entry in found:
        key = served.get(entry.kid)
        ok = key is not None and key.fingerprint == entry.public.fingerprint
        yield Finding(
            ok=ok,
            what=f"{where}: {'has' if ok else 'lacks'} {entry.kid}",
            sides={str(entry.path): entry.public.fingerprint,
                   where: "-" if key is None else key.fingerprint},
        )  # fmt: skip


def _key_set(settings: Settings, fleet: Fleet | None, member: Member) -> dict[str, PublicKey]:
    """By kid; the server is the issuer's by its certificate."""
    ca_file = None if fleet is None or fleet.ca_file is None else str(fleet.ca_file)
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    name = urlsplit(settings.issuer).hostname or ""
    connection = _To(str(member.address).strip("[]"), name, context)
    try:
        connection.request("GET", JWKS_PATH, headers={"Host": name})
        response = connection.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"status {response.status}")
        document = json.loads(response.read(_MAX_BYTES))
        return {item["kid"]: jwk.read(item) for item in document["keys"]}
    except (KeyError, TypeError):
        raise ValueError("is no key set") from None
    finally:
        connection.close()


class _To(http.client.HTTPSConnection):
    """A connection to an address, to whoever proves to be `name`."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        super().__init__(address, _PORT, timeout=_TIMEOUT, context=context)
        self._name = name
        self._tls = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
