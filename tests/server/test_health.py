from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.server.process import Site, serving


def test_a_server_that_works_is_live_and_ready(http: httpx.Client) -> None:
    for path in ("/health/live", "/health/ready"):
        response = http.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("listens", [False, True], ids=["nobody-listens", "nobody-answers"])
def test_without_its_store_it_is_live_and_not_ready(
    tmp_path: Path, site: Site, listens: bool
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "redis.sock"))
        if listens:
            silent.listen()
        password = tmp_path / "password"
        password.write_text("hunter2\n")
        store = {
            "url": f"unix://{tmp_path}/redis.sock",
            "username": "oauth_server",
            "password_file": str(password),
        }
        with serving(tmp_path, site, store=store) as server, server.client() as http:
            start = time.monotonic()
            response = http.get("/health/ready")
            assert time.monotonic() - start < 3
            assert response.status_code == 503
            assert response.json()["error"] == "temporarily_unavailable"
            assert response.headers["retry-after"] == "1"
            assert http.get("/health/live").status_code == 200
            assert any(" 503 temporarily_unavailable ready reason=store_" in line
                       for line in server.log())  # fmt: skip
            assert "hunter2" not in server.journal + str(server.log()) + response.text
