"""What the settings say of keys."""

from __future__ import annotations

from oauth_server.keys.source import FileKeys, KeySource
from oauth_server.keys.transitions import Policy
from oauth_server.settings import Settings


def policy(settings: Settings) -> Policy:
    return Policy(settings.signing.algorithm, settings.timing, source(settings))


def source(_: Settings) -> KeySource:
    """Where new keys are made, and what opens those that are there."""
    return FileKeys()
