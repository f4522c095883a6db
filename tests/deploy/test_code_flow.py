"""A user, a browser and an app before the real host: nginx, systemd's sandbox, Redis."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.lab import access_token, walk
from tests.lab.code_flow import CodeFlow
from tests.lab.fixtures import RunningLab
from tests.lab.machine import LabError

PORTS = pytest.mark.parametrize("port", ["", ":8443"])


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


@pytest.fixture(scope="module")
def public_key(lab_json: dict[str, Any]) -> str:
    return access_token.public_key(lab_json)


@pytest.fixture
def flow(lab_json: dict[str, Any]) -> Iterator[Callable[[str], CodeFlow]]:
    """A flow that goes to a port of the host."""
    begun: list[CodeFlow] = []

    def begin(port: str = "") -> CodeFlow:
        begun.append(CodeFlow(lab_json, base=f"{lab_json['issuer']}{port}"))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


@pytest.fixture
def http(lab_json: dict[str, Any]) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=lab_json["ca_file"])
    with httpx.Client(verify=trust, base_url=lab_json["issuer"], timeout=15) as client:
        yield client


@PORTS
def test_a_login_ends_in_tokens_for_the_user(
    flow: Callable[[str], CodeFlow], lab_json: dict[str, Any], public_key: str, port: str
) -> None:
    """The password is hashed with four threads and 64 MiB inside the unit's sandbox."""
    app = flow(port)
    tokens = app.redeem(app.allow(app.log_in(app.ask())))
    for pair in (tokens, app.refresh(tokens["refresh_token"])):
        token = access_token.verified(
            pair["access_token"], public_key, app.issuer, app.client, subject="ada"
        )
        assert token.claims["sub"] == lab_json["user"]["username"]


@PORTS
def test_a_code_and_a_refresh_token_are_good_for_one_use(
    flow: Callable[[str], CodeFlow], port: str
) -> None:
    app = flow(port)
    answer = app.allow(app.log_in(app.ask()))
    first = app.redeem(answer)
    second = app.refresh(first["refresh_token"])
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert app.refused(**again) == "invalid_grant"
    # Somebody has a copy: the honest one ends as well (RFC 9700 §4.14.2).
    assert app.refused(**{**again, "refresh_token": second["refresh_token"]}) == "invalid_grant"


def test_a_wrong_password_is_told_on_the_page(flow: Callable[[str], CodeFlow]) -> None:
    app = flow("")
    with pytest.raises(LabError, match=r"401 .*The username or the password is not right"):
        app.log_in(app.ask(), password="not the one that the lab has")


def test_a_form_of_another_site_is_refused_behind_the_gateway_too(
    flow: Callable[[str], CodeFlow], http: httpx.Client
) -> None:
    """What a browser says of where a form is from passes nginx."""
    app = flow("")
    form = app.ask().form_with(field="password")
    filled = {**form.fields, "action": "login", "username": "ada", "password": "x" * 12}
    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        refused = http.post(form.action, data=filled, headers=header)
        assert refused.status_code == 400
        assert "This form is no longer valid" in refused.text


def test_a_request_of_8_kb_passes_the_gateway_and_its_state_comes_back(
    flow: Callable[[str], CodeFlow],
) -> None:
    app = flow("")
    app.state = "s" * (8192 - len(app.url) + len(app.state))
    assert len(app.url) == 8192
    assert app.allow(app.log_in(app.ask()))["state"] == app.state


def test_pages_say_that_nobody_may_frame_or_keep_them(http: httpx.Client) -> None:
    page = http.get("/account", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["strict-transport-security"]
    (cookie,) = page.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-login=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_while_the_server_is_away_people_read_why_and_programs_get_json(
    deployed: RunningLab, http: httpx.Client
) -> None:
    deployed.ssh("sudo systemctl stop oauth-server.socket")
    try:
        pages = [http.get(path) for path in ("/authorize?a=b", "/account", "/logout")]
        token = http.post("/token")
    finally:
        deployed.ssh("sudo systemctl start oauth-server.socket oauth-server.service")
    for page in pages:
        assert (page.status_code, page.headers["retry-after"]) == (503, "1")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>Just a moment</h1>" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert token.json() == {"error": "temporarily_unavailable"}


def test_the_walk_in_the_terminal_shows_no_password(
    deployed: RunningLab, lab_json: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    walk.walk(deployed.lab_json)
    said = capsys.readouterr().out
    assert "7  The app gives everything back" in said
    assert "400 invalid_grant" in said
    assert lab_json["user"]["password"] not in said


def test_a_lab_without_its_server_is_a_clear_failure(lab_json: dict[str, Any]) -> None:
    unreachable = pytest.raises(LabError, match=r":9/\.well-known/.* cannot be reached: ")
    with closing(CodeFlow(lab_json, base=f"{lab_json['issuer']}:9")) as app, unreachable:
        app.ask()
