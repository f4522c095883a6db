"""Run by itself among the clients: each call from an address that the host never saw before.

Options: host, port, request (what is sent after TLS), first (address), count, every (seconds),
hold (seconds that a connection stays after its answer). Writes what became of each call as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import socket
import ssl
import sys
import time
from typing import Any

_TIMEOUT = 10.0


async def call(options: dict[str, Any], source: str, context: ssl.SSLContext) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    connected = None
    said = ""
    connection = socket.socket()
    connection.setblocking(False)
    try:
        connection.bind((source, 0))
        target = (options["host"], options["port"])
        await asyncio.wait_for(loop.sock_connect(connection, target), _TIMEOUT)
        connected = time.monotonic() - began
        opening = asyncio.open_connection(
            sock=connection, ssl=context, server_hostname=options["host"]
        )
        reader, writer = await asyncio.wait_for(opening, _TIMEOUT)
        writer.write(base64.b64decode(options["request"]))
        said = (await asyncio.wait_for(reader.readline(), _TIMEOUT)).decode("latin-1").strip()
        took = time.monotonic() - began
        await asyncio.sleep(options["hold"])
        writer.close()
    except (OSError, asyncio.TimeoutError) as error:
        took = time.monotonic() - began
        said = said or type(error).__name__
        connection.close()
    return {"ok": " 200" in said, "connect": connected, "took": took, "said": said}


async def main(options: dict[str, Any]) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    first = ipaddress.ip_address(options["first"])
    calls = []
    began = time.monotonic()
    for number in range(options["count"]):
        await asyncio.sleep(max(0.0, began + number * options["every"] - time.monotonic()))
        calls.append(asyncio.create_task(call(options, str(first + number), context)))
    print(json.dumps(await asyncio.gather(*calls)))


asyncio.run(main(json.loads(sys.argv[1])))
