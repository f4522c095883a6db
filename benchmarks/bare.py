"""What the cores sign with `cryptography` and nothing around it."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_CLAIMS = b"x" * 300


@dataclass(frozen=True)
class Bare:
    signatures: int
    seconds: float
    processor: float

    @property
    def rate(self) -> float:
        return self.signatures / self.seconds

    def __add__(self, other: Bare) -> Bare:
        return Bare(
            self.signatures + other.signatures,
            self.seconds + other.seconds,
            self.processor + other.processor,
        )


def sign(pem: Path, *, threads: int, seconds: float) -> Bare:
    """RS256 in as many threads as cores for so long."""
    key = serialization.load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    counts = [0] * threads
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < end:
            key.sign(_CLAIMS, padding.PKCS1v15(), hashes.SHA256())
            counts[number] += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    start, used = time.monotonic(), time.process_time()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return Bare(sum(counts), time.monotonic() - start, time.process_time() - used)


if __name__ == "__main__":
    print(sign(Path(sys.argv[1]), threads=len(os.sched_getaffinity(0)), seconds=3))
