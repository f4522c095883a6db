"""The authorization code flow with PKCE, played against the lab: the app, the browser, the user.

It knows of the server what an app knows: its issuer, and from there on its metadata (RFC 8414).
"""

import base64
import hashlib
import secrets
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx

from tests.lab import html_page
from tests.lab.html_page import Page
from tests.lab.machine import LabError

_TIMEOUT = 15.0


class CodeFlow:
    """One run, a method a step, in the order of the methods. Each raises LabError.

    `described` is what lab.json says; `base` replaces the issuer where requests go, and `source` is
    the address that they come from.
    """

    def __init__(
        self,
        described: Mapping[str, Any],
        *,
        base: str | None = None,
        source: str | None = None,
    ) -> None:
        self.issuer: str = described["issuer"]
        self.client: dict[str, str] = described["public_client"]
        self.user: dict[str, str] = described["user"]
        self.state = secrets.token_urlsafe(16)
        self.verifier = secrets.token_urlsafe(32)
        self._base = base or self.issuer
        ca_file = Path(described["ca_file"])
        if not ca_file.is_file():
            raise LabError(
                f"{ca_file} is not there: the deploy makes it, and has not run to its end"
            )
        trusted = ssl.create_default_context(cafile=str(ca_file))
        trusted.minimum_version = ssl.TLSVersion.TLSv1_3
        transport = httpx.HTTPTransport(verify=trusted, local_address=source, trust_env=False)
        self._http = httpx.Client(transport=transport, timeout=_TIMEOUT, trust_env=False)
        self._endpoints: dict[str, str] = {}

    def close(self) -> None:
        self._http.close()

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps by now."""
        return dict(self._http.cookies)

    @property
    def request(self) -> dict[str, str]:
        """The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.client["client_id"],
            "redirect_uri": self.client["redirect_uri"],
            "scope": self.client["scope"],
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }

    @property
    def url(self) -> str:
        """Where the app sends the browser."""
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(self.request)}"

    def ask(self) -> Page:
        """The browser follows the app's link, and gets the login page."""
        self._page_url = self.url
        return self._page(self._send("GET", self._page_url), "the login page")

    def log_in(self, page: Page, password: str | None = None) -> Page:
        """The user fills in the form, and gets the consent page."""
        form = self._form(page, field="password")
        filled = {
            **form.fields,
            "action": "login",
            "username": self.user["username"],
            "password": self.user["password"] if password is None else password,
        }
        answer = self._submit(form.action, filled)
        if answer.status_code != 303:
            raise LabError(f"the login was answered by {_told(answer)}")
        self._page_url = urljoin(self._page_url, answer.headers["location"])
        return self._page(self._send("GET", self._page_url), "the consent page")

    def allow(self, page: Page) -> dict[str, str]:
        """The user allows it; the browser is sent back to the app with what this returns."""
        form = self._form(page, button=("action", "approve"))
        answer = self._submit(form.action, {**form.fields, "action": "approve"})
        if answer.status_code != 303:
            raise LabError(f"the consent was answered by {_told(answer)}")
        return self._answer_to_app(answer.headers["location"])

    def redeem(self, answer: Mapping[str, str]) -> dict[str, Any]:
        """The app exchanges the code, and proves by the verifier that it asked (RFC 7636 §4.5)."""
        return self.token(
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=self.client["redirect_uri"],
            code_verifier=self.verifier,
        )

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> None:
        """RFC 7009: with a refresh token goes all that came from the same consent."""
        answer = self._post("revocation_endpoint", token=token)
        if answer.status_code != 200:
            raise LabError(f"the revocation was answered by {_told(answer)}")

    def token(self, **form: str) -> dict[str, Any]:
        answer = self._post("token_endpoint", **form)
        if answer.status_code != 200:
            raise LabError(f"/token answered {_told(answer)}")
        tokens: dict[str, Any] = answer.json()
        return tokens

    def refused(self, **form: str) -> str:
        """The error with which the token endpoint refuses this."""
        answer = self._post("token_endpoint", **form)
        if answer.status_code != 400:
            raise LabError(f"/token was to refuse, and answered {_told(answer)}")
        return str(answer.json().get("error"))

    def _answer_to_app(self, location: str) -> dict[str, str]:
        """What the app finds in the URL, after it checked that the answer is to its request."""
        arrived, expected = urlsplit(location), urlsplit(self.client["redirect_uri"])
        if arrived[:3] != expected[:3]:
            raise LabError(f"the browser was sent to {arrived.scheme}://{arrived.netloc}, not back")
        answer = dict(parse_qsl(arrived.query))
        if answer.get("state") != self.state:
            raise LabError("the answer's state is not that of the request")
        if answer.get("iss") != self.issuer:  # RFC 9207 §2.4: another server may be in the play
            raise LabError(f"the answer is from {answer.get('iss', 'nobody')}, not {self.issuer}")
        if "code" not in answer:
            raise LabError(f"the answer has no code but {answer.get('error', 'nothing')}")
        return answer

    def _endpoint(self, name: str) -> str:
        if not self._endpoints:
            where = f"{self._base}/.well-known/oauth-authorization-server"
            answer = self._send("GET", where)
            if answer.status_code != 200:
                raise LabError(f"{where} answered {_told(answer)}")
            self._endpoints = answer.json()
            if self._endpoints.get("issuer") != self.issuer:  # RFC 8414 §3.3
                raise LabError(f"{where} is about {self._endpoints.get('issuer')}")
        if name not in self._endpoints:
            raise LabError(f"the server's metadata has no {name}")
        return self._endpoints[name].replace(self.issuer, self._base, 1)

    def _post(self, endpoint: str, **form: str) -> httpx.Response:
        return self._send(
            "POST", self._endpoint(endpoint), data={**form, "client_id": self.client["client_id"]}
        )

    def _submit(self, action: str, fields: dict[str, str]) -> httpx.Response:
        """As a browser does: to the form's own URL, and with the origin that it is from."""
        origin = {"Origin": self._base, "Sec-Fetch-Site": "same-origin"}
        return self._send("POST", urljoin(self._page_url, action), data=fields, headers=origin)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, url, **more)
        except httpx.HTTPError as error:
            raise LabError(f"{url.partition('?')[0]} cannot be reached: {error}") from error

    def _page(self, answer: httpx.Response, wanted: str) -> Page:
        if answer.status_code != 200:
            raise LabError(f"instead of {wanted} came {_told(answer)}")
        return html_page.read(answer.text)

    def _form(self, page: Page, **having: Any) -> html_page.Form:
        try:
            return page.form_with(**having)
        except LookupError as error:
            raise LabError(f"the page {page.title!r} has {error}") from None


def _told(answer: httpx.Response) -> str:
    """An answer that nobody wanted, in words."""
    if answer.headers.get("content-type", "").startswith("text/html"):
        page = html_page.read(answer.text)
        return f"{answer.status_code} {page.title!r}" + (f": {page.alert}" if page.alert else "")
    return f"{answer.status_code}: {answer.text[:300].strip()}"
