from __future__ import annotations

from tests.store_contract import StoreContract


class TestRedisStore(StoreContract):
    """On the fixture `store`."""
