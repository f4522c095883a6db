from __future__ import annotations

from tests.store_contract.whole import StoreContract


class TestRedisStore(StoreContract):
    """On the fixture `store`."""
