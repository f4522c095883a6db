"""More at once than the cores can sign."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.server.process import Server, Site, serving
from tests.server.test_token import GRANT, basic

_AT_ONCE = 60
_BODY = f"grant_type={GRANT['grant_type']}"
_HEAD = (
    "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    f"Authorization: {basic()['Authorization']}\r\nContent-Length: {len(_BODY)}\r\n\r\n"
)


def _ask(server: Server) -> list[str]:
    """Whole requests, each there before the first has its signature; the answers."""
    asking = []
    for _ in range(_AT_ONCE):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(server.unix))
        connection.sendall((_HEAD + _BODY).encode())
        asking.append(connection)
    answers = []
    for connection in asking:
        with connection, connection.makefile() as stream:
            answers.append(stream.read())
    return answers


def test_the_surplus_is_sent_away_before_anything_is_done_for_it(
    tmp_path: Path, site: Site
) -> None:
    """CWE-770: who is served must not pay for who is not."""
    with serving(tmp_path, site) as server:
        answers = _ask(server)
        assert {answer.split()[1] for answer in answers} == {"200", "503"}
        for answer in answers:
            if answer.split()[1] == "503":
                assert '"error":"temporarily_unavailable"' in answer
                assert "\nretry-after: 1\n" in answer.lower()
        for line in server.log():
            if " 503 " in line:
                assert " reason=sign_queue_full " in line
                assert "client_id=" not in line  # not even the secret was looked at
        with server.gateway() as http:
            assert http.post("/token", data=GRANT, headers=basic()).status_code == 200
