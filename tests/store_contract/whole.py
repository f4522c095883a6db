"""What every store must do, by the words of store/interface.py.

A test class of each store inherits from it and provides the fixture `store`.
"""

from __future__ import annotations

import pytest

from oauth_server.store.interface import Store
from tests.store_contract.board import BoardContract
from tests.store_contract.codes import CodesContract
from tests.store_contract.denylist import DenylistContract
from tests.store_contract.families import FamiliesContract
from tests.store_contract.limits import AssertionsContract, ThrottlesContract
from tests.store_contract.people import ConsentsContract, SessionsContract
from tests.store_contract.races import RaceContract


class StoreContract(
    BoardContract,
    CodesContract,
    FamiliesContract,
    DenylistContract,
    SessionsContract,
    ConsentsContract,
    ThrottlesContract,
    AssertionsContract,
    RaceContract,
):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.anyio
    async def test_it_answers(self, store: Store) -> None:
        await store.ping()
