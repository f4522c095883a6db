"""logrotate while requests come without a pause: every line is in one of the files, once."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import Counter
from typing import Any

import httpx

from tests.lab.fixtures import RunningLab

_LOG = "/var/log/oauth_server.log"
_THREADS = 4
_ROTATIONS = 3


def _ask_until(stop: threading.Event, described: dict[str, Any], seen: list[str]) -> None:
    """Each request's id is in its answer, and in its line of the log."""
    client = described["confidential_client"]
    trust = ssl.create_default_context(cafile=described["ca_file"])
    with httpx.Client(verify=trust, base_url=f"{described['issuer']}:8443", timeout=15) as http:
        while not stop.is_set():
            # It takes no signature: more lines a second.
            answer = http.post(
                "/introspect",
                data={"token": "none"},
                auth=(client["client_id"], client["client_secret"]),
            )
            assert answer.status_code == 200
            seen.append(answer.headers["x-request-id"])


def test_no_line_is_lost_and_none_is_there_twice(deployed: RunningLab) -> None:
    described = json.loads(deployed.lab_json.read_text())
    stop = threading.Event()
    seen: list[list[str]] = [[] for _ in range(_THREADS)]
    threads = [threading.Thread(target=_ask_until, args=(stop, described, each)) for each in seen]
    for thread in threads:
        thread.start()
    try:
        for _ in range(_ROTATIONS):
            time.sleep(1)
            done = deployed.ssh("sudo logrotate --force /etc/logrotate.d/oauth-server")
            assert done.returncode == 0, done.stderr
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    requests = [request for each in seen for request in each]
    assert len(requests) > 100
    files = deployed.ssh(
        f"for file in $(sudo sh -c 'ls {_LOG}*'); do sudo zcat -f $file | sed \"s#^#$file #\"; done"
    ).stdout
    lines = [line.split(" ") for line in files.splitlines()]
    logged = Counter(
        word.removeprefix("request_id=")
        for line in lines
        for word in line
        if word.startswith("request_id=")
    )
    lost = [request for request in requests if logged[request] != 1]
    assert lost == [], f"{len(lost)} of {len(requests)} lines"
    ours = set(requests)
    across = {line[0] for line in lines if ours & {word[11:] for word in line}}
    assert len(across) == _ROTATIONS + 1, "the requests did not span the rotations"
