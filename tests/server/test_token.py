from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.server.conftest import SCOPE, SECRET
from tests.server.process import Server, Site, serving

GRANT = {"grant_type": "client_credentials"}


def basic(client_id: str = "gateway_01", secret: str = SECRET) -> dict[str, str]:
    """RFC 6749 §2.3.1: form-urlencoded within Basic."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def assert_refused(response: httpx.Response, status: int, error: str) -> None:
    """RFC 6749 §5.2."""
    assert response.status_code == status, response.text
    assert response.json()["error"] == error
    assert sorted(response.json()) == ["error", "error_description"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in response.headers) is (status == 401)


def claims_of(token: str, http: httpx.Client) -> dict[str, object]:
    keys = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    assert decoded.header["typ"] == "at+jwt"
    return decoded.claims


def test_a_client_gets_a_token_that_verifies(http: httpx.Client) -> None:
    response = http.post("/token", data=GRANT, headers=basic())
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert {name: answer[name] for name in answer if name != "access_token"} == {
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": SCOPE,
    }
    claims = claims_of(answer["access_token"], http)
    assert sorted(claims) == ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]
    assert claims["iss"] == claims["aud"] == "https://127.0.0.1"
    assert claims["sub"] == claims["client_id"] == "gateway_01"
    assert claims["scope"] == SCOPE


def test_a_secret_in_the_body_is_for_who_is_registered_for_it(http: httpx.Client) -> None:
    body = {**GRANT, "client_id": "poster", "client_secret": SECRET}
    assert http.post("/token", data=body).status_code == 200
    assert_refused(http.post("/token", data=GRANT, headers=basic("poster")), 401, "invalid_client")
    body["client_id"] = "gateway_01"
    assert_refused(http.post("/token", data=body), 401, "invalid_client")


def test_a_client_gets_its_own_audience_and_no_more_than_its_scopes(http: httpx.Client) -> None:
    answer = http.post("/token", data=GRANT, headers=basic("narrow")).json()
    assert answer["scope"] == "telemetry:read"
    assert claims_of(answer["access_token"], http)["aud"] == "https://api.example.com"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(basic(secret="wrong"), id="wrong-secret"),
        pytest.param(basic("unknown"), id="unknown-client"),
        pytest.param({"Authorization": "Basic !"}, id="malformed"),
        pytest.param({"Authorization": "Bearer x"}, id="another-scheme"),
        pytest.param({}, id="nothing"),
    ],
)
def test_who_does_not_authenticate_gets_a_challenge(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    response = http.post("/token", data=GRANT, headers=headers)
    assert_refused(response, 401, "invalid_client")
    assert (
        response.headers["www-authenticate"] == 'Basic realm="https://127.0.0.1", charset="UTF-8"'
    )


def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(http: httpx.Client) -> None:
    answers = [
        http.post("/token", data=GRANT, headers=headers)
        for headers in (basic("unknown"), basic(secret="wrong"))
    ]
    assert answers[0].content == answers[1].content
    names = [list(answer.headers) for answer in answers]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        pytest.param({}, 400, "invalid_request", id="rfc6749-5.2-no-grant-type"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", id="password"),
        pytest.param(
            {"grant_type": "authorization_code", "code": "x"}, 400, "unauthorized_client",
            id="not-registered",
        ),
        pytest.param({**GRANT, "scope": "admin"}, 403, "invalid_scope", id="not-registered"),
        pytest.param(
            {**GRANT, "scope": "telemetry:read admin"}, 403, "invalid_scope", id="one-too-many"
        ),
        pytest.param({**GRANT, "scope": 'a"b'}, 400, "invalid_scope", id="rfc6749-3.3-malformed"),
        pytest.param(
            {**GRANT, "resource": "https://evil.test"}, 400, "invalid_target", id="rfc8707-2"
        ),
        pytest.param({**GRANT, "client_secret": SECRET}, 400, "invalid_request", id="two-ways"),
        pytest.param({**GRANT, "client_id": "narrow"}, 400, "invalid_request", id="two-clients"),
        pytest.param(
            {"grant_type": ["client_credentials"] * 2}, 400, "invalid_request",
            id="rfc6749-3.1-twice",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_granted_is_refused(
    http: httpx.Client, body: dict[str, str], status: int, error: str
) -> None:
    assert_refused(http.post("/token", data=body, headers=basic()), status, error)


def test_a_client_without_the_grant_is_unauthorized(http: httpx.Client) -> None:
    response = http.post("/token", data=GRANT, headers=basic("web"))
    assert_refused(response, 400, "unauthorized_client")


def test_a_public_client_gets_no_client_credentials(http: httpx.Client) -> None:
    """RFC 6749 §4.4."""
    response = http.post("/token", data={**GRANT, "client_id": "app"})
    assert_refused(response, 400, "unauthorized_client")


def test_parameters_do_not_belong_into_the_uri(http: httpx.Client) -> None:
    """RFC 6749 §2.3.1."""
    uri = "/token?client_id=poster&client_secret=x"
    assert_refused(http.post(uri, data=GRANT, headers=basic()), 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_a_body_of_another_type_is_refused(http: httpx.Client, content_type: str) -> None:
    headers = {**basic(), "Content-Type": content_type}
    response = http.post("/token", content=b"grant_type=client_credentials", headers=headers)
    assert_refused(response, 400, "invalid_request")


def test_two_authorization_headers_are_refused(http: httpx.Client) -> None:
    value = basic()["Authorization"]
    headers = [("Authorization", value), ("Authorization", value)]
    assert_refused(http.post("/token", data=GRANT, headers=headers), 400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_post_is_allowed(http: httpx.Client, method: str) -> None:
    """RFC 6749 §3.2."""
    response = http.request(method, "/token")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    if method != "HEAD":
        assert response.json()["error"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/", "/token/", "//token", "/Token", "/token%00", "/token/..", "/x"]
)
def test_what_is_not_there_is_a_404_in_json(http: httpx.Client, path: str) -> None:
    response = http.post(f"https://127.0.0.1:{http.base_url.port}{path}")
    assert response.status_code == 404
    assert response.json()["error"] == "not_found"


def test_scopes_can_be_refused_as_the_rfc_has_it(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site, scope_error_status=400) as server, server.client() as http:
        response = http.post("/token", data={**GRANT, "scope": "admin"}, headers=basic())
        assert_refused(response, 400, "invalid_scope")


def test_no_answer_names_the_software(server: Server, http: httpx.Client) -> None:
    for response in (http.get("/x"), http.post("/token"), http.get("/health/live")):
        assert "server" not in response.headers
        assert "uvicorn" not in str(response.headers) + response.text
    with server.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"uvicorn" not in connection.recv(4096).lower()


def test_every_answer_has_an_id_that_is_in_the_log(server: Server, http: httpx.Client) -> None:
    request_id = http.post("/token", data=GRANT, headers=basic()).headers["x-request-id"]
    assert any(line.endswith(f" request_id={request_id}") for line in server.log())
