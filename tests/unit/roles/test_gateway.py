"""The gateway role: nginx.conf on every platform."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from roles.gateway.tasks import Upstream, gateway
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

IPV6 = {"/proc/net/if_inet6": "yes"}
PAGES = {"/authorize", "/account", "/logout"}
ENDPOINTS = {
    *PAGES,
    "/token",
    "/revoke",
    "/introspect",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/health/live",
    "/health/ready",
}


def config(platform: Platform = Platform.DEBIAN_12, *, ipv6: bool = True) -> str:
    fake = FakeHost(platform, responses=IPV6 if ipv6 else {})
    fake.run(gateway, "https://auth.example.org", platform)
    return fake.files["/etc/nginx/nginx.conf"].content


def values(text: str, directive: str) -> list[str]:
    return re.findall(rf"^\s*{directive} ([^;]*);", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("platform", "user"),
    [
        (Platform.DEBIAN_12, "www-data"),
        (Platform.UBUNTU_22_04, "www-data"),
        (Platform.UBUNTU_24_04, "www-data"),
        (Platform.EL_9, "nginx"),
    ],
)
def test_it_works_as_the_platforms_user_and_reads_no_other_file(
    platform: Platform, user: str
) -> None:
    """The distributions' own default servers, port 80 among them, are in files that it leaves."""
    text = config(platform)
    assert values(text, "user") == [user]
    assert values(text, "include") == []


def test_it_listens_on_443_alone_with_tls_1_3_alone() -> None:
    text = config()
    assert {listen.split()[0] for listen in values(text, "listen")} == {"443", "[::]:443"}
    assert all(" ssl" in listen for listen in values(text, "listen"))
    assert values(text, "ssl_protocols") == ["TLSv1.3"]


def test_a_kernel_without_ipv6_gets_no_ipv6_listener() -> None:
    assert not [v for v in values(config(ipv6=False), "listen") if "[::]" in v]


def test_the_queue_is_as_long_as_the_kernel_lets_it_be() -> None:
    """nginx asks for 511 by itself, whatever net.core.somaxconn says."""
    assert "default_server backlog=4096" in values(config(), "listen")[0]


def test_another_name_is_refused() -> None:
    first, second = config().split("    server {")[1:]
    assert "default_server" in first
    assert "server_name" not in first
    assert "return 421" in first
    assert values(second, "server_name") == ["auth.example.org"]


def test_only_the_public_endpoints_reach_the_server() -> None:
    text = config()
    exact = set(re.findall(r"location = (\S+) \{", text))
    assert exact == ENDPOINTS
    assert values(text, "proxy_pass") == [
        f"http://unix:/run/oauth-server/http.sock:{path}"
        for path in re.findall(r"location = (\S+) \{", text)
    ]
    assert "return 404" in text.split("location / {")[1].split("}")[0]


def test_a_client_can_send_no_identity_header() -> None:
    text = config()
    assert values(text, "proxy_pass_request_headers") == ["off"]
    sent = dict(value.split() for value in values(text, "proxy_set_header"))
    assert sent == {
        "Host": "auth.example.org",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
        "Authorization": "$http_authorization",
        "Content-Type": "$content_type",
        "Accept": "$http_accept",
        "Cookie": "$cookie_of_a_page",
        "Origin": "$http_origin",
        "Sec-Fetch-Site": "$http_sec_fetch_site",
    }


def test_cookies_reach_the_pages_alone() -> None:
    table = config().split("map $uri $cookie_of_a_page {")[1].split("}")[0]
    rows = dict(line.strip().rstrip(";").split() for line in table.strip().splitlines())
    assert rows == {"default": '""', **dict.fromkeys(PAGES, "$http_cookie")}


@pytest.mark.parametrize("platform", Platform)
def test_an_authorization_request_of_8_kb_fits(platform: Platform) -> None:
    """Ubuntu 22.04's nginx has a limit of its own for HTTP/2, of 4 KB."""
    text = config(platform)
    assert values(text, "large_client_header_buffers") == ["4 16k"]
    own_limit = ["16k"] if platform is Platform.UBUNTU_22_04 else []
    assert values(text, "http2_max_field_size") == own_limit
    assert values(text, "proxy_buffer_size") == ["32k"]


def test_people_get_a_page_when_the_server_is_away_and_programs_json() -> None:
    text = config()
    for path in PAGES:
        location = text.split(f"location = {path} {{")[1].split("}")[0]
        assert "error_page 502 504 =503 @unavailable_page;" in location
    page = text.split("location @unavailable_page {")[1].split("}\n    }")[0]
    for header in ("Strict-Transport-Security", "Retry-After", "Content-Security-Policy"):
        assert header in page
    (said,) = re.findall(r"return 503 '([^'\n]*)\\n';", page)
    assert "$" not in said
    assert said.startswith("<!DOCTYPE html>")
    style = re.search(r"<style>(.*?)</style>", said)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page


def test_metrics_have_no_way_through_the_gateway() -> None:
    assert "metrics" not in config()
    assert "9464" not in config()


def test_bodies_are_bounded_and_never_lie_on_a_disk() -> None:
    text = config()
    assert values(text, "client_max_body_size") == values(text, "client_body_buffer_size")
    assert values(text, "proxy_max_temp_file_size") == ["0"]


def test_a_body_that_is_too_large_is_called_what_the_server_calls_it() -> None:
    assert """return 413 '{"error":"content_too_large"}\\n';""" in config()


def test_the_log_keeps_no_query() -> None:
    (log_format,) = values(config(), "log_format")
    assert "$uri" in log_format
    assert "$request " not in log_format
    assert "$request_uri" not in log_format
    assert "$args" not in log_format


def test_a_server_that_is_away_is_a_503_to_try_again() -> None:
    text = config()
    assert "502 504 =503 @unavailable" in values(text, "error_page")
    unavailable = text.split("location @unavailable {")[1].split("}\n")[0]
    assert "Retry-After" in unavailable
    assert "Strict-Transport-Security" in unavailable  # add_header of a location stands alone


@pytest.mark.parametrize("platform", Platform)
def test_it_is_checked_and_then_reloaded(platform: Platform) -> None:
    """A restart would drop connections."""
    fake = FakeHost(platform, responses=IPV6)
    fake.run(gateway, "https://auth.example.org", platform)
    assert 'nginx -t -q -c "$candidate"' in fake.files["/etc/nginx/nginx.conf"].script
    fake.run(gateway, "https://other.example.org", platform)
    assert fake.units == {"nginx.service": ["restart", "reload"]}


def test_a_new_certificate_is_taken_over() -> None:
    fake = FakeHost(Platform.DEBIAN_12, responses=IPV6)
    run = fake.run(gateway, "https://auth.example.org", fake.platform)
    (started,) = [c.text for c in run.commands if c.operation.endswith("[GW-02]")]
    assert "/etc/oauth2/certs/server.pem" in started
    assert "/etc/oauth2/certs/server.key" in started


def test_a_server_that_may_not_sign_yet_is_led_nobody_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    servers = (Upstream("a", "192.0.2.1", waits=False), Upstream("b", "[2001:db8::2]", waits=True))
    fake.run(gateway, "https://auth.example.org", fake.platform, (), None, servers, "/etc/ca.pem")
    text = fake.files["/etc/nginx/nginx.conf"].content
    assert [value for value in values(text, "server") if ":8443" in value] == [
        "192.0.2.1:8443 max_fails=1 fail_timeout=10s", "[2001:db8::2]:8443 down"
    ]  # fmt: skip
    assert [line for line in caplog.messages if "b may not sign yet" in line]
    assert not [line for line in caplog.messages if "a may not sign yet" in line]
