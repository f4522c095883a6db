"""GW: nginx in front of the server."""

from __future__ import annotations

import re

import pytest

from tests.audit.subject import Answer, Subject, units_of
from tests.audit.verdict import must_equal, must_hold

pytestmark = pytest.mark.group("gateways")

_BACKEND = "http://unix:/run/oauth-server/http.sock"

_FLEET = "https://oauth_servers/"
_VERIFIED = {"proxy_ssl_verify": ["on"], "proxy_ssl_protocols": ["TLSv1.3"]}

QUESTIONS = {
    "config": "cat /etc/nginx/nginx.conf",
    "unit": units_of("nginx.service"),
    "workers": "ps -o user:32= --ppid $(systemctl show -P MainPID nginx.service) | sort -u",
}


def _directives(answers: dict[str, Answer], name: str) -> list[str]:
    """The values of each directive of that name, wherever it stands."""
    config = "\n".join(line for line in answers["config"].lines if line.lstrip()[:1] != "#")
    return re.findall(rf"^\s*{re.escape(name)}\s+([^;]+);", config, re.MULTILINE)


@pytest.mark.control("GW-01")
def test_nginx_reads_no_other_file(answers: dict[str, Answer]) -> None:
    """Another file might serve something else from the issuer's name."""
    must_equal("files that nginx.conf includes", seen=_directives(answers, "include"), expected=[])


@pytest.mark.control("GW-01")
def test_the_gateway_leads_to_the_servers_and_nowhere_else(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """What stands in front of the issuer leads to the host's own server, or to verified ones."""
    allowed = (_BACKEND, _FLEET) if subject.has_neighbours else (_BACKEND,)
    elsewhere = [to for to in _directives(answers, "proxy_pass") if not to.startswith(allowed)]
    must_equal("proxy_pass to anything but the servers", seen=elsewhere, expected=[])
    if any(to.startswith(_FLEET) for to in _directives(answers, "proxy_pass")):
        wanted = {**_VERIFIED, "proxy_ssl_name": [subject.issuer_host]}
        must_equal(
            "nginx, whose defaults verify nothing, must be told",
            seen={name: _directives(answers, name) for name in wanted},
            expected=wanted,
        )
    must_hold(
        "the gateway must lead to the server",
        _directives(answers, "proxy_pass"),
        expected=f"proxy_pass {_BACKEND}… or {_FLEET}…",
        seen="no proxy_pass",
    )


@pytest.mark.control("GW-01")
def test_the_gateway_tells_the_clients_true_address(answers: dict[str, Answer]) -> None:
    """What the client claims of itself is overwritten, not added to."""
    forwarded = [
        value.split(None, 1)[1]
        for value in _directives(answers, "proxy_set_header")
        if value.lower().startswith("x-forwarded-for")
    ]
    must_equal("X-Forwarded-For must be", seen=forwarded, expected=["$remote_addr"])


@pytest.mark.control("GW-02")
def test_nginx_is_enabled_and_runs(answers: dict[str, Answer]) -> None:
    """Today and after a reboot."""
    unit = answers["unit"].units["nginx.service"]
    must_equal(
        "nginx must be enabled and active",
        seen={"enabled": unit["UnitFileState"], "active": unit["ActiveState"]},
        expected={"enabled": "enabled", "active": "active"},
    )


@pytest.mark.control("GW-02")
def test_nginxs_workers_have_their_own_account(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """They parse what strangers send."""
    must_equal(
        "nginx's workers must run as",
        seen=answers["workers"].output.split(),
        expected=["nginx" if subject.is_el else "www-data"],
    )
