"""What the lab's browser makes of a page: the server's own, and ones gone wrong."""

import pytest

from tests.lab import html_page
from tests.lab.html_page import Form

PAGE = """<!DOCTYPE html><html><head><title>Log
 in – host</title><style>p > a { color: red }</style></head><body>
<div role="alert"><svg><path d="M9"/></svg><p>Not <strong>right</strong>.</p><p>Again.</p></div>
<p>Other</p>
<form method="post" action="/authorize?a=1&amp;b=2">
<input type="hidden" name="csrf" value="&quot;x&quot;"><input name="username" value="ada" required>
<button name="action" value="login">Log in</button></form>
<form action="/logout"><button>Out</button></form></body></html>"""


def test_a_page_is_read_as_a_browser_does() -> None:
    page = html_page.read(PAGE)
    assert page.title == "Log in – host"
    assert page.alert == "Not right. Again."
    assert page.forms == [
        Form(
            "/authorize?a=1&b=2",
            "post",
            {"csrf": '"x"', "username": "ada"},
            [("action", "login")],
        ),
        Form("/logout", "get"),
    ]


def test_a_form_is_found_by_what_is_in_it() -> None:
    page = html_page.read(PAGE)
    assert page.form_with(field="username") is page.forms[0]
    assert page.form_with(button=("action", "login")) is page.forms[0]
    with pytest.raises(LookupError, match="no form with password"):
        page.form_with(field="password")


@pytest.mark.parametrize("text", ["", "no page", "<form", "<title>", "<div role=alert>a"])
def test_half_a_page_is_no_reason_to_fail(text: str) -> None:
    assert html_page.read(text).forms == []
