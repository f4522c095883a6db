"""The store and the signers that the settings and the keys ask for."""

from __future__ import annotations

from pathlib import Path
from ssl import SSLError

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.signer import TokenSigner
from oauth_server.keys.signer import (
    BoundedSigner,
    FileSigner,
    SignObserver,
)
from oauth_server.keys.source import ActiveKey
from oauth_server.settings import StoreSettings
from oauth_server.store.interface import Observer, Store
from oauth_server.store.memory import MemoryStore
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Endpoint, Socket, Tls


def signer_for(key: ActiveKey, observe: SignObserver) -> BoundedSigner:
    if isinstance(key, TokenKey):
        return TokenSigner(key, observe=observe)
    return FileSigner(key, observe=observe)


def open_store(settings: StoreSettings, observe: Observer | None = None) -> Store:
    """Connects when it is first asked. Raises OperatorError."""
    endpoint = _redis(settings)
    if endpoint is None:
        return MemoryStore()
    password = None
    if settings.password_file is not None:
        password = files.read_text(Path(settings.password_file)).rstrip("\r\n")
    return RedisStore(endpoint, settings.username, password, observe)


def _redis(settings: StoreSettings) -> Endpoint | None:
    if settings.socket is not None:
        return Socket(settings.socket)
    if settings.address is None:
        return None
    host, port = settings.address
    assert settings.ca_file is not None  # noqa: S101 - settings are refused without it
    try:
        return Tls(host, port, name=settings.server_name or host, ca_file=Path(settings.ca_file))
    except OSError as error:
        reason = "holds no certificate in PEM" if isinstance(error, SSLError) else error.strerror
        raise OperatorError(f"store.ca_file: {settings.ca_file}: {reason}") from None
