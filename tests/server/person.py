"""Somebody at a browser without JavaScript: follows our pages, fills in their forms."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.server.conftest import PASSWORD
from tests.server.process import Server


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.forms: list[Form] = []
        self.title = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._within: list[str] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._within.append(tag)
        if tag == "form":
            self.forms.append(Form(attributes["action"] or "", attributes["method"] or "get"))
        elif tag == "input":
            self.forms[-1].fields[attributes["name"] or ""] = attributes.get("value") or ""
        elif tag == "button":
            self.forms[-1].buttons.append(
                (attributes.get("name") or "", attributes.get("value") or "")
            )

    def handle_data(self, data: str) -> None:
        if self._within and self._within[-1] == "title":
            self.title += data
        elif self._within and self._within[-1] != "style":
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def form(self, button: str) -> Form:
        return next(form for form in self.forms if ("action", button) in form.buttons)


def challenge(code_verifier: str) -> str:
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = challenge(VERIFIER)
WEB = "https://web.example.com/callback"


def request(**changes: str | None) -> str:
    """The path and query of an authorization request."""
    parameters = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": WEB,
        "state": "a state",
        "scope": "telemetry:read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return "/authorize?" + urlencode(
        {name: value for name, value in parameters.items() if value is not None}
    )


def answer(response: httpx.Response) -> dict[str, str]:
    """What a redirect to the client says; each parameter is there once."""
    assert response.status_code == 303, response.text
    query = parse_qs(
        urlsplit(response.headers["location"]).query, strict_parsing=True, keep_blank_values=True
    )
    assert all(len(values) == 1 for values in query.values())
    return {name: values[0] for name, values in query.items()}


class Person:
    def __init__(self, server: Server, **headers: str) -> None:
        self.http = server.client()
        self.http.headers.update(headers)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str) -> Page:
        return Page(self.http.get(path))

    def submit(self, form: Form, button: str = "", **filled: str) -> httpx.Response:
        action = {"action": button} if button else {}
        return self.http.post(form.action, data={**form.fields, **filled, **action})

    def log_in(
        self, username: str, password: str = PASSWORD, at: str = "/account"
    ) -> httpx.Response:
        form = self.get(at).form("login")
        return self.submit(form, "login", username=username, password=password)

    def logged_in(self, username: str, at: str = "/account") -> Person:
        response = self.log_in(username, at=at)
        assert response.status_code == 303, response.text
        return self

    def allow(self, at: str) -> httpx.Response:
        return self.submit(self.get(at).form("approve"), "approve")
