"""Attacks that a browser has to stop, or to tell us of: Chromium does what our headers ask."""

from __future__ import annotations

from tests.browser.catcher import Catcher
from tests.browser.chromium import Browser
from tests.server.conftest import PASSWORD
from tests.server.process import Server


def test_no_other_site_gets_our_pages_into_a_frame(
    browser: Browser, server: Server, app: Catcher
) -> None:
    """Clickjacking (RFC 9700 §4.16)."""
    app.page = f"<iframe src='https://127.0.0.1:{server.tcp[1]}/account'></iframe>"
    browser.open(f"http://127.0.0.1:{app.port}/")
    browser.wait_for_title("Elsewhere")
    browser.wait_for_complaint("frame-ancestors")


def test_no_other_site_logs_anybody_in(browser: Browser, server: Server, app: Catcher) -> None:
    """Login CSRF (RFC 6749 §10.12)."""
    base = f"https://127.0.0.1:{server.tcp[1]}"
    browser.open(f"{base}/account")  # so that there is a cookie
    app.page = f"""
        <form method="post" action="{base}/account">
        <input name="action" value="login"><input name="username" value="alice">
        <input name="password" value="{PASSWORD}"><button>Win a prize</button></form>
    """
    browser.open(f"http://127.0.0.1:{app.port}/")
    browser.find("button").click()
    browser.wait_for_title("This did not work")
    assert " 400 invalid_request login reason=csrf_origin " in server.log()[-1]
    browser.open(f"{base}/account")
    browser.wait_for_title("Log in – ")


def test_what_is_injected_does_nothing(browser: Browser, server: Server) -> None:
    """XSS (CWE-79), should an escape ever be missing: no script, no image, no foreign form."""
    browser.open(f"https://127.0.0.1:{server.tcp[1]}/account")
    browser.log()
    browser.run("""
        const frame = document.createElement("div");
        frame.innerHTML = "<img src='https://127.0.0.1:1/x' onerror='document.title = 1'>"
          + "<form action='https://127.0.0.1:1/'><button id='evil'>Log in</button></form>";
        document.body.append(frame);
        const script = document.createElement("script");
        script.textContent = "document.title = 'Owned'";
        document.body.append(script);
        document.getElementById("evil").click();
    """)
    for directive in ("img-src", "script-src", "form-action"):
        browser.wait_for_complaint(directive)
    browser.wait_for_title("Log in – ")
