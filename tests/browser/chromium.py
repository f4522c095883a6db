"""Headless Chromium, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/) as it stands.

A client library would bring a dozen packages, one of which reports its use to its makers.
"""

from __future__ import annotations

import base64
import fcntl
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_LOCK = Path("/var/lock/portcullis-apt")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB = "\ue004"
ENTER = "\ue007"
_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # it runs as root here, where the sandbox doesn't
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--ignore-certificate-errors",
    # Nothing but loopback has a name.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def install() -> None:
    """Debian's packages, if they are not there."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in (
            ["update", "--quiet"],
            ["install", "--quiet", "--yes", "--no-install-recommends", "chromium",
             "chromium-driver"],
        ):  # fmt: skip
            subprocess.run(["apt-get", *arguments], check=True, stdout=subprocess.DEVNULL)


class Element:
    def __init__(self, browser: Browser, element_id: str) -> None:
        self._browser = browser
        self._path = f"/element/{element_id}"

    def type(self, text: str) -> None:
        self._browser.command("POST", f"{self._path}/value", {"text": text})

    def click(self) -> None:
        self._browser.command("POST", f"{self._path}/click", {})

    @property
    def text(self) -> str:
        return str(self._browser.command("GET", f"{self._path}/text"))


class Browser:
    """A window; each has a profile of its own."""

    def __init__(self, driver: httpx.Client, session: str) -> None:
        self._driver = driver
        self._session = session
        self._complaints: list[str] = []

    def command(self, method: str, path: str, body: object | None = None) -> Any:
        response = self._driver.request(method, f"/session/{self._session}{path}", json=body)
        value = response.json()["value"]
        if response.status_code != 200:
            raise AssertionError(f"{value['error']}: {value['message']}")
        return value

    def open(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self.command("GET", "/url"))

    def wait_for_title(self, start: str) -> None:
        """A click does not wait for the page that it leads to."""
        self._wait(lambda: str(self.command("GET", "/title")), lambda it: it.startswith(start))

    def wait_for_focus(self, element_id: str) -> None:
        """`autofocus` is followed some time after the page has loaded."""
        focused = "return document.activeElement.id"
        self._wait(lambda: str(self.run(focused)), lambda it: it == element_id)

    def _wait(self, see: Callable[[], str], holds: Callable[[str], bool]) -> None:
        end = time.monotonic() + 10
        while not holds(seen := see()):
            assert time.monotonic() < end, f"it is still {seen!r}"
            time.sleep(0.05)

    def find(self, selector: str) -> Element:
        found = self.command("POST", "/element", {"using": "css selector", "value": selector})
        return Element(self, found[_ELEMENT])

    def press(self, *keys: str) -> None:
        """Whatever has the focus gets it."""
        actions = [
            {"type": kind, "value": key} for key in "".join(keys) for kind in ("keyDown", "keyUp")
        ]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        self.command("POST", "/actions", body)

    def run(self, script: str) -> Any:
        """Of the test's own; the pages have none, and their policy allows none."""
        return self.command("POST", "/execute/sync", {"script": script, "args": []})

    def cdp(self, name: str, **parameters: object) -> Any:
        return self.command("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def log(self) -> list[str]:
        """What the console complained of."""
        entries = self.command("POST", "/se/log", {"type": "browser"})
        return [str(entry["message"]) for entry in entries]

    def wait_for_complaint(self, of: str) -> None:
        """In the console, now or among what was read before."""
        end = time.monotonic() + 10
        while not any(of in message for message in self._complaints):
            assert time.monotonic() < end, self._complaints
            self._complaints += self.log()
            time.sleep(0.05)

    def look_like(self, *, width: int, height: int, scheme: str, phone: bool = False) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))


@contextmanager
def driver(directory: Path) -> Iterator[httpx.Client]:
    """A running chromedriver."""
    install()
    with (directory / "chromedriver").open("w+") as output:
        process = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield httpx.Client(base_url=f"http://127.0.0.1:{_port(output.name)}", timeout=60)
        finally:
            process.terminate()
            process.wait(20)


def _port(output: str) -> str:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if found := re.search(r"successfully on port (\d+)", Path(output).read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError("chromedriver did not start")


@contextmanager
def browser(driver: httpx.Client, profile: Path) -> Iterator[Browser]:
    options = {"args": [*_FLAGS, f"--user-data-dir={profile}"]}
    capabilities = {"browserName": "chrome", "goog:chromeOptions": options,
                    "goog:loggingPrefs": {"browser": "ALL"}}  # fmt: skip
    response = driver.post("/session", json={"capabilities": {"alwaysMatch": capabilities}})
    value = response.json()["value"]
    assert response.status_code == 200, value
    session = value["sessionId"]
    try:
        yield Browser(driver, session)
    finally:
        driver.delete(f"/session/{session}")
