"""What the settings say of keys."""

from __future__ import annotations

from pathlib import Path

from oauth_server.keys.pkcs11.pin import Pin
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.pkcs11.source import TokenKeys
from oauth_server.keys.source import FileKeys, KeySource
from oauth_server.keys.transitions import Policy
from oauth_server.settings import Settings


def policy(settings: Settings) -> Policy:
    return Policy(settings.signing.algorithm, settings.timing, source(settings))


def source(settings: Settings) -> KeySource:
    """Where new keys are made, and what opens those that are there."""
    named = settings.signing.pkcs11
    if named is None:
        return FileKeys()
    pin = Pin(Path(named.pin_file))
    access = Access(named.module, named.token, pin, named.environment)
    return TokenKeys(access, Path(settings.keys_directory))
