from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws

from tests.server.conftest import SECRET
from tests.server.process import Server, Site, serving, wait_for
from tests.server.test_token import GRANT, basic

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<address>[0-9a-f.:]+|-) (?P<status>\d{3}) "
    r"(?P<error>[a-z_]+|-) (?P<event>[a-z]+)(?P<fields>( [a-z_]+=(\?|[A-Za-z0-9._:/%-]*))*)"
)


def last(server: Server) -> re.Match[str]:
    found = LINE.fullmatch(server.log()[-1])
    assert found is not None, server.log()[-1]
    return found


def test_a_token_is_a_line(server: Server, http: httpx.Client) -> None:
    token = http.post("/token", data=GRANT, headers=basic()).json()["access_token"]
    line = last(server)
    assert line.group("address", "status", "error", "event") == ("127.0.0.1", "200", "-", "token")
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    assert line["fields"].startswith(
        f" client_id=gateway_01 grant_type=client_credentials jti={claims['jti']} request_id="
    )


def test_a_refusal_is_a_line_with_its_reason(server: Server, http: httpx.Client) -> None:
    http.post("/token", data=GRANT, headers=basic(secret="wrong"))
    line = last(server)
    assert line.group("status", "error", "event") == ("401", "invalid_client", "token")
    assert line["fields"].startswith(" client_id=gateway_01 reason=wrong_secret request_id=")


def test_an_unknown_client_id_is_never_written(server: Server, http: httpx.Client) -> None:
    """CWE-532: it may be a secret, pasted into the wrong field."""
    http.post("/token", data=GRANT, headers=basic(SECRET))
    assert last(server)["fields"].startswith(" client_id=? reason=unknown_client ")


def test_probes_that_succeed_are_not_written(server: Server, http: httpx.Client) -> None:
    before = server.log()
    for path in ("/health/live", "/health/ready", "/.well-known/jwks.json"):
        http.get(path)
    assert server.log() == before


def test_the_gateway_says_whose_request_it_is(server: Server, gateway: httpx.Client) -> None:
    gateway.post("/token", data=GRANT, headers={"X-Forwarded-For": "203.0.113.7"})
    assert last(server)["address"] == "203.0.113.7"
    gateway.post("/token", data=GRANT)
    assert last(server)["address"] == "-"


def test_a_strangers_forwarded_for_is_ignored(server: Server, http: httpx.Client) -> None:
    """CWE-348."""
    http.post("/token", data=GRANT, headers={"X-Forwarded-For": "203.0.113.7"})
    assert last(server)["address"] == "127.0.0.1"


def test_a_trusted_proxy_is_believed(tmp_path: Path, site: Site) -> None:
    """Only for whom it saw itself: what is left of that was sent to it (CWE-348)."""
    with serving(tmp_path, site, trusted_proxies=["127.0.0.1"]) as server, server.client() as http:
        http.post("/token", data=GRANT, headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
        assert last(server)["address"] == "203.0.113.7"


BYTES = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n2026-01-01T00:00:00.000Z 6.6.6.6 200 - token", b"\n", b"\0", "\u2028".encode(), b"a\tb"]
)


PATHS = st.sampled_from(["/token", "/revoke", "/introspect", "/authorize?client_id="])


@given(path=PATHS, body=BYTES, name=BYTES, secret=BYTES, forwarded=BYTES)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_that_is_sent_makes_a_second_line_or_moves_the_address(
    server: Server,
    http: httpx.Client,
    path: str,
    body: bytes,
    name: bytes,
    secret: bytes,
    forwarded: bytes,
) -> None:
    """CWE-117, CWE-348."""
    before = len(server.log())
    headers = {
        **basic(name.decode("latin-1"), secret.decode("latin-1")),
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": re.sub(r"[^\x20-\x7e]", "", forwarded.decode("latin-1")).strip(),
    }
    if path.endswith("="):
        path += quote(name, safe="")
    response = http.post(path, content=body, headers=headers)
    assert response.status_code in {400, 401}
    assert len(server.log()) == before + 1
    assert last(server)["address"] == "127.0.0.1"


def test_no_secret_and_no_token_is_ever_written(server: Server, http: httpx.Client) -> None:
    """CWE-532."""
    token = http.post("/token", data=GRANT, headers=basic()).json()["access_token"]
    http.post("/token", data={**GRANT, "client_id": SECRET, "client_secret": "hunter2"})
    http.post("/token?client_secret=hunter2", data=GRANT)
    http.get("/hunter2")
    written = server.log_file.read_text() + server.journal
    assert "hunter2" not in written
    assert token not in written
    assert "secret%20of" not in written


def test_a_rotated_log_is_reopened(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site) as server, server.client() as http:
        http.get("/one")
        server.log_file.rename(tmp_path / "log.1")
        http.get("/two")
        server.send(signal.SIGUSR1)
        wait_for(server.log_file.exists)
        http.get("/three")
        assert len((tmp_path / "log.1").read_text().splitlines()) == 2
        assert len(server.log()) == 1
        assert server.process.poll() is None
