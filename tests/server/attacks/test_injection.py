"""Attacks by what is typed, sent or registered: into pages, headers and the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauth_server.models import Client
from tests.server.attacks.conftest import ALICE
from tests.server.attacks.inside import CountedHashes, Inside, Visitor, client
from tests.server.person import Page, request

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
BREAKS = {"cr": "\r", "lf": "\n", "crlf": "\r\nX-Evil: 1\r\n\r\n", "nul": "\0", "u2028": "\u2028"}


def tags(page: Page) -> set[str]:
    return {tag for tag, _ in page.elements}


def assert_harmless(page: Page) -> None:
    assert not tags(page) & {"script", "img", "iframe", "object"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    assert "49" not in page.title


@pytest.fixture
def hostile(hashes: CountedHashes) -> Iterator[Inside]:  # noqa: ARG001 - none is computed
    registered: Client = client(client_name=SCRIPT)
    made = Inside([ALICE], [registered])
    yield made
    made.close()


def test_a_clients_name_is_text(hostile: Inside) -> None:
    """XSS (CWE-79), in each page that has it."""
    visitor = Visitor(hostile)
    assert_harmless(visitor.get(request()))
    visitor.log_in("alice")
    consent = visitor.get(request())
    assert_harmless(consent)
    assert SCRIPT in consent.text
    visitor.submit(consent.form("approve"), "approve")
    assert_harmless(visitor.get("/account"))


def test_what_was_typed_is_text(inside: Inside) -> None:
    """Reflected XSS (CWE-79)."""
    response = Visitor(inside).log_in(SCRIPT, SCRIPT)
    page = Page(response)
    assert_harmless(page)
    assert page.form("login").fields["username"] == SCRIPT
    assert page.form("login").fields["password"] == ""


@pytest.mark.parametrize("name", ["state", "scope", "client_id", "redirect_uri", "x"])
def test_a_parameter_is_text(inside: Inside, name: str) -> None:
    """Reflected XSS (CWE-79)."""
    visitor = Visitor(inside)
    assert_harmless(visitor.get(request(**{name: SCRIPT})))
    visitor.log_in("alice")
    assert_harmless(visitor.get(request(**{name: SCRIPT})))


def test_the_name_of_the_host_is_text(inside: Inside) -> None:
    """XSS by a header (CWE-644)."""
    assert_harmless(Visitor(inside).get("/account", Host=SCRIPT))


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize(
    "name", ["state", "scope", "client_id", "redirect_uri", "response_type", "resource", "x"]
)
def test_no_parameter_makes_a_header_or_a_line(inside: Inside, name: str, broken: str) -> None:
    """CWE-113, CWE-117."""
    page = Visitor(inside).get(request(**{name: f"a{broken}b"}))
    assert "x-evil" not in page.response.headers
    location = page.response.headers.get("location", "")
    assert location.isascii()
    assert location.isprintable()
    for line in inside.log.lines:
        assert line.count("\n") == 1
        assert line.isascii()
        assert line.endswith("\n")
        assert line[:-1].isprintable()


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_no_username_makes_a_line(inside: Inside, broken: str) -> None:
    """CWE-117."""
    response = Visitor(inside).log_in(f"alice{broken}x", "wrong")
    assert response.status_code in {400, 401}
    (line,) = inside.log.lines
    assert line.count("\n") == 1
    assert " 203.0.113.7 " in line
    assert "alice" not in line


def test_no_cookie_is_written_back_or_logged(inside: Inside) -> None:
    """CWE-79, CWE-117."""
    sent = "__Host-login=evil; __Host-session=evil; __Host-device=evil; x=evil"
    page = Visitor(inside).get("/account", Cookie=sent)
    assert "evil" not in page.response.text + str(page.response.headers)
    assert inside.log.lines == []
