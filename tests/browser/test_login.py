"""A person with a real browser: logs in, consents, is redirected, withdraws, logs out.

Screenshots of each page, at two widths and in both colour schemes, are left in .artefacts/.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.browser.accessible import faults
from tests.browser.catcher import Catcher
from tests.browser.chromium import ENTER, TAB, Browser
from tests.server.conftest import PASSWORD
from tests.server.person import request
from tests.server.process import ENVIRONMENT, Server, Site, serving

ARTEFACTS = Path(__file__).parents[2] / ".artefacts" / "pages"
LOOKS = {
    "desktop-light": {"width": 1280, "height": 800, "scheme": "light"},
    "desktop-dark": {"width": 1280, "height": 800, "scheme": "dark"},
    "phone-light": {"width": 390, "height": 844, "scheme": "light", "phone": True},
    "phone-dark": {"width": 390, "height": 844, "scheme": "dark", "phone": True},
    # The same as 1280 at a zoom of 400 % (WCAG 2.2 §1.4.10).
    "narrow": {"width": 320, "height": 640, "scheme": "light", "phone": True},
}


def look(browser: Browser, page: str) -> None:
    """Keeps how it looks, and finds what keeps somebody from using it."""
    for name, how in LOOKS.items():
        browser.look_like(**how)  # type: ignore[arg-type]  # the table is of mixed types
        width = browser.run("return document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{page} has to be scrolled sideways: {name}"
        browser.screenshot(ARTEFACTS / f"{page}-{name}.png")
        assert faults(browser) == [], f"{page}: {name}"
    browser.look_like(width=1280, height=800, scheme="light")
    assert browser.log() == []


def log_in(browser: Browser, username: str, password: str) -> None:
    browser.run("document.getElementById('username').value = ''")
    browser.find("#username").type(username)
    browser.find("#password").type(password)
    browser.find("button[value=login]").click()


def test_a_person_logs_in_allows_withdraws_and_logs_out(
    browser: Browser, server: Server, app: Catcher
) -> None:
    base = f"https://127.0.0.1:{server.tcp[1]}"
    asked = base + request(
        client_id="app", redirect_uri=f"http://127.0.0.1:{app.port}/callback",
        scope="telemetry:read telemetry:write",
    )  # fmt: skip

    browser.open(asked)
    browser.wait_for_title("Log in – ")
    look(browser, "login")

    log_in(browser, "alice", "a wrong password")
    browser.wait_for_title("Error: Log in – ")
    assert browser.find("[role=alert]").text == "The username or the password is not right."
    browser.log()  # Chromium remarks on the 401
    look(browser, "login-failed")

    log_in(browser, "alice", PASSWORD)
    browser.wait_for_title("Allow Field Notes? – ")
    look(browser, "consent")

    browser.find("button[value=approve]").click()
    browser.wait_for_title("Caught")
    (path,) = app.caught
    told = parse_qs(urlsplit(path).query)
    assert told.keys() == {"code", "state", "iss"}
    assert told["state"] == ["a state"]

    browser.open(f"{base}/account")
    browser.wait_for_title("Your apps – ")
    look(browser, "account")

    browser.find("button[value=withdraw]").click()
    browser.wait_for_title("Withdrawn: Your apps – ")
    look(browser, "account-withdrawn")
    assert " 303 - withdraw username=alice client_id=app " in server.log()[-1]

    browser.open(f"{base}/logout")
    look(browser, "logout")
    browser.find("main form button").click()
    browser.wait_for_title("Logged out – ")
    look(browser, "logged-out")
    browser.open(f"{base}/account")
    browser.wait_for_title("Log in – ")
    look(browser, "login-account")


def test_a_denial_reaches_the_app(browser: Browser, server: Server, app: Catcher) -> None:
    browser.open(
        f"https://127.0.0.1:{server.tcp[1]}"
        + request(client_id="app", redirect_uri=f"http://127.0.0.1:{app.port}/callback")
    )
    log_in(browser, "alice", PASSWORD)
    browser.wait_for_title("Allow Field Notes? – ")
    browser.find("button[value=deny]").click()
    browser.wait_for_title("Caught")
    assert "error=access_denied" in app.caught[0]


def test_what_is_wrong_is_a_page(browser: Browser, server: Server) -> None:
    base = f"https://127.0.0.1:{server.tcp[1]}"
    browser.open(base + request(redirect_uri="https://evil.test/"))
    browser.wait_for_title("This did not work – ")
    browser.log()  # Chromium remarks on the 400
    look(browser, "error")
    browser.open(f"{base}/nowhere")
    browser.wait_for_title("There is nothing here – ")


def test_the_keyboard_is_enough(browser: Browser, server: Server, app: Catcher) -> None:
    """WCAG 2.2 §2.1.1: from the first field, which has the focus, to the app."""
    browser.open(
        f"https://127.0.0.1:{server.tcp[1]}"
        + request(client_id="app", redirect_uri=f"http://127.0.0.1:{app.port}/callback")
    )
    browser.wait_for_focus("username")
    browser.press("alice", TAB, PASSWORD, ENTER)
    browser.wait_for_title("Allow Field Notes? – ")
    browser.press(TAB, ENTER)
    browser.wait_for_title("Caught")
    assert "code=" in app.caught[0]


def test_serve_dev_can_be_logged_in_to(browser: Browser, tmp_path: Path, app: Catcher) -> None:
    """Plain HTTP: browsers keep Secure cookies on loopback all the same."""
    process = subprocess.Popen(
        [sys.executable, "-m", "oauth_server", "serve", "--dev", "--port", "0"],
        env=ENVIRONMENT, cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        password = url = ""
        while not url:
            line = next(process.stdout)
            password = password or (re.findall(r"with the password (\S+),", line) or [""])[0]
            url = line.strip() if "/authorize?" in line else ""
        browser.open(url.replace("9999", str(app.port)))
        log_in(browser, "dev", password)
        browser.wait_for_title("Allow Example App? – ")
        browser.find("button[value=approve]").click()
        browser.wait_for_title("Caught")
        assert "code=" in app.caught[0]
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_long_names_fit(browser: Browser, wordy_site: Site, tmp_path: Path) -> None:
    with serving(tmp_path, wordy_site) as server:
        base = f"https://127.0.0.1:{server.tcp[1]}"
        browser.open(base + request(client_id="wordy", redirect_uri=None, scope=None))
        look(browser, "wordy-login")
        log_in(browser, "alice", PASSWORD)
        browser.wait_for_title("Allow Donaudampfschiff")
        look(browser, "wordy-consent")
        browser.find("button[value=approve]").click()
        browser.wait_for_title("a-long-label.")
        browser.open(f"{base}/account")
        browser.wait_for_title("Your apps – ")
        browser.log()  # Chromium remarks on the app's address, which is nobody's
        look(browser, "wordy-account")


def test_who_is_to_wait_is_told_how_long(browser: Browser, server: Server) -> None:
    browser.open(f"https://127.0.0.1:{server.tcp[1]}/account")
    for _ in range(11):
        browser.wait_for_title("Log in – ")
        log_in(browser, "alice", "a wrong password")
        browser.wait_for_title("Error: Log in – ")
        browser.open(f"https://127.0.0.1:{server.tcp[1]}/account")
    log_in(browser, "alice", PASSWORD)
    browser.wait_for_title("Error: Log in – ")
    assert "Try again in 15 minutes" in browser.find("[role=alert]").text
    browser.log()  # Chromium remarks on the 401 and the 429
    look(browser, "login-throttled")


DAMAGE = {
    "document.documentElement.lang = ''": "the page has no language",
    "document.querySelector('label').remove()": "nothing tells what this is",
    "document.querySelector('h1').outerHTML = '<h2>x</h2>'": "there is not one h1",
    "document.querySelector('.lead').style.color = '#999'": "has a contrast of",
    "document.querySelector('#username').style.border = '1px solid #ddd'": "the edge of",
    "document.querySelector('#username').id = 'password'": "an id is there twice",
    "document.querySelector('button').style.outline = 'none'": "focus does not show",
    "document.querySelector('button').style = 'min-height: 0; padding: 0; font-size: 1px'":
        "too small",
    "document.querySelector('#password').removeAttribute('autocomplete')": "no autocomplete",
    "document.querySelector('svg').removeAttribute('aria-hidden')": "an image without a text",
}  # fmt: skip


def test_what_would_keep_somebody_out_is_found(browser: Browser, server: Server) -> None:
    """The check itself is checked: by pages that are broken in each way."""
    for damage, fault in DAMAGE.items():
        browser.open(f"https://127.0.0.1:{server.tcp[1]}/account")
        assert faults(browser) == []
        browser.run(damage)
        assert any(fault in found for found in faults(browser)), damage
