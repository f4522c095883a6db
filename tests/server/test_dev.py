from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.process import ENVIRONMENT

SERVE_DEV = [sys.executable, "-m", "oauth_server", "serve", "--dev"]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*SERVE_DEV, "--port", "0"], env=ENVIRONMENT, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate(timeout=20)


def printed_curl(dev: subprocess.Popen[str]) -> list[str]:
    assert dev.stdout is not None
    line = next(line for line in dev.stdout if line.lstrip().startswith("curl "))
    return shlex.split(line)


def test_the_printed_curl_line_fetches_a_token(dev: subprocess.Popen[str], tmp_path: Path) -> None:
    fetched = subprocess.run([*printed_curl(dev), "-sS"], capture_output=True, timeout=20)
    answer = json.loads(fetched.stdout)
    assert answer["token_type"] == "Bearer"
    assert answer["scope"] == "telemetry:read telemetry:write"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_without_a_word(dev: subprocess.Popen[str], number: signal.Signals) -> None:
    subprocess.run([*printed_curl(dev), "-sS"], stdout=subprocess.DEVNULL, timeout=20)
    dev.send_signal(number)
    _, said = dev.communicate(timeout=20)
    assert dev.returncode == 0
    (line,) = said.splitlines()
    assert " 127.0.0.1 200 - token client_id=dev_client " in line


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            [*SERVE_DEV, "--port", port], env=ENVIRONMENT, capture_output=True, text=True,
            timeout=20,
        )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr == (
        f"oauth-server: 127.0.0.1:{port}: Address already in use; choose another --port\n"
    )
