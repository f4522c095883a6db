"""A server's part in a race, as a process of its own: `python -m tests.redis.callers …`.

Reads one JSON line, makes all its calls at once, and prints how each ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from oauth_server.store.interface import Digest, Proof, RefreshToken, Replay
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Socket

_MINUTE = timedelta(minutes=1)


async def main(socket: str, password: str) -> None:
    store = RedisStore(Socket(Path(socket)), "oauth_server", password)
    await asyncio.gather(*(store.ping() for _ in range(20)))
    print("ready", flush=True)
    orders = json.loads(await asyncio.to_thread(sys.stdin.readline))
    ended = await asyncio.gather(*(_call(store, order) for order in orders))
    print(json.dumps(ended), flush=True)
    await store.close()


async def _call(store: RedisStore, order: dict[str, Any]) -> str:
    token = RefreshToken(order["family"], Digest(order["handle"]), Digest(order["secret"]))
    if order["step"] == "redeem":
        proof = Proof(*order["proof"])
        answer = await store.redeem_code(Digest(order["code"]), proof, token, lifetime=_MINUTE)
    else:
        answer = await store.rotate_refresh_token(
            token,
            order["client_id"],
            Digest(order["successor"]),
            grace=timedelta(seconds=order["grace"]),
        )
    if answer is None:
        return "nothing"
    return "replay" if isinstance(answer, Replay) else "success"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
