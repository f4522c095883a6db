"""The same keys, certificate, clients and users as the tests over plain HTTP have."""

from __future__ import annotations

from tests.server.conftest import site

__all__ = ["site"]
