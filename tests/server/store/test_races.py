"""Servers that share one Redis, each a process of its own, and asked at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.redis.server import PASSWORD, Server
from tests.store_contract.grants import Grant, begun, random_digest

pytestmark = pytest.mark.anyio

_ROOT = Path(__file__).resolve().parents[3]
_EACH = 20


def race(redis: Server, orders: list[list[dict[str, Any]]]) -> list[str]:
    """How the calls ended: one process for each list of orders, all let go at once."""
    command = [sys.executable, "-m", "tests.redis.callers", str(redis.socket), PASSWORD]
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'app'}"}
    callers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in orders
    ]
    try:
        for caller in callers:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "ready\n"
        for caller, order in zip(callers, orders, strict=True):
            assert caller.stdin is not None
            caller.stdin.write(json.dumps(order) + "\n")
            caller.stdin.flush()
        return [
            word for caller in callers for word in json.loads(caller.communicate(timeout=30)[0])
        ]
    finally:
        for caller in callers:
            caller.kill()
            caller.communicate()


def _order(grant: Grant, **more: object) -> dict[str, object]:
    return {"family": grant.family, "handle": grant.handle, "secret": grant.first, **more}


async def test_two_servers_redeem_one_code_once(shared: Server) -> None:
    for _ in range(3):
        store, grant = shared.store(), Grant()
        await grant.save(store)
        proof = [grant.proof.client_id, grant.proof.redirect_uri, grant.proof.code_challenge]
        order = _order(grant, step="redeem", code=grant.code, proof=proof)
        ended = race(shared, [[order] * _EACH] * 2)
        assert ended.count("success") == 1
        assert ended.count("replay") == 2 * _EACH - 1
        assert await store.find_refresh_token(grant.token()) is None
        await store.close()


@pytest.mark.parametrize("grace", [0, 30])
async def test_two_servers_leave_one_live_branch_at_most(shared: Server, grace: int) -> None:
    for _ in range(3):
        store = shared.store()
        grant, successors = await begun(store), [random_digest() for _ in range(2 * _EACH)]
        orders = [
            _order(
                grant,
                step="rotate",
                client_id=grant.authorization.client_id,
                successor=successor,
                grace=grace,
            )
            for successor in successors
        ]
        ended = race(shared, [orders[:_EACH], orders[_EACH:]])
        live = [
            secret
            for secret in (grant.first, *successors)
            if await store.find_refresh_token(grant.token(secret)) is not None
        ]
        assert ended.count("success") == (2 * _EACH if grace else 1)
        assert len(live) == (1 if grace else 0)
        assert grant.first not in live
        await store.close()
