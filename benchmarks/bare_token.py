"""What processes sign with a token's module and nothing around it but the library."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import pkcs11
from pkcs11 import Mechanism, ObjectClass

from benchmarks.bare import Bare

_CLAIMS = b"x" * 300
_MECHANISMS = {
    "RS256": (Mechanism.SHA256_RSA_PKCS, None),
    "PS256": (Mechanism.SHA256_RSA_PKCS_PSS, (Mechanism.SHA256, pkcs11.MGF.SHA256, 32)),
}


@dataclass(frozen=True)
class Key:
    """`pin` is a test's."""

    module: str
    token: str
    pin: str
    key_id: str
    algorithm: str


def sign(key: Key, *, processes: int, seconds: float, environment: dict[str, str]) -> Bare:
    """In so many processes, of which each has a session, for so long."""
    said = json.dumps(asdict(key)) + "\n"
    running = []
    for _ in range(processes):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare_token", str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(said)
        process.stdin.flush()
        # One after the other: two that initialise SoftHSM at once may miss its token.
        assert process.stdout.readline() == "ready\n"
        running.append(process)
    for process in running:  # all at once
        assert process.stdin is not None
        process.stdin.close()
    parts = []
    for process in running:
        assert process.stdout is not None
        parts.append(Bare(**json.loads(process.stdout.read())))
        assert process.wait() == 0
    return Bare(
        sum(part.signatures for part in parts),
        max(part.seconds for part in parts),
        sum(part.processor for part in parts),
    )


def _main(seconds: float) -> None:
    key = Key(**json.loads(sys.stdin.readline()))
    token = pkcs11.lib(key.module).get_token(token_label=key.token)
    session = token.open(user_pin=key.pin)
    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key.key_id))
    mechanism, parameters = _MECHANISMS[key.algorithm]
    print("ready", flush=True)
    sys.stdin.read()
    count, start, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() < start + seconds:
        private.sign(_CLAIMS, mechanism=mechanism, mechanism_param=parameters)  # type: ignore[attr-defined]
        count += 1
    taken = Bare(count, time.monotonic() - start, time.process_time() - used)
    print(json.dumps(asdict(taken)), flush=True)


if __name__ == "__main__":
    _main(float(sys.argv[1]))
