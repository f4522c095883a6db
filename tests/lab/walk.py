"""`make lab-login`: the code flow step by step, for somebody who watches."""

import os
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.lab import access_token, description
from tests.lab.code_flow import CodeFlow

_WIDTH = 88
_NAMES = 22


def walk(lab_json: Path) -> None:
    """Play the app, the browser and the user, and show what passes; raises LabError."""
    described = description.read(lab_json)
    public_key = access_token.public_key(described)
    flow = CodeFlow(described)
    try:
        _Walk(flow, public_key).all_of_it()
    finally:
        flow.close()


class _Walk:
    def __init__(self, flow: CodeFlow, public_key: str) -> None:
        self._flow = flow
        self._public_key = public_key
        self._number = 0

    def all_of_it(self) -> None:
        flow, user = self._flow, self._flow.user["username"]
        print(_bold("The authorization code flow with PKCE, as an app on this machine goes it"))

        self._step(
            "The app asks",
            "It makes up a secret, the verifier, and sends the browser to the server with the "
            "secret's hash. What it learns later is worth nothing to who lacks the verifier.",
        )
        where = urlsplit(flow.url)
        _sent("GET", f"{where.scheme}://{where.netloc}{where.path}?", flow.request)
        page = flow.ask()
        _got(f"the page {page.title!r}")

        self._step(
            f"The user, {user}, logs in",
            "The password goes to the server alone; the app never sees it. The form's csrf value "
            "fits a cookie of this browser, so no other site can send the form.",
        )
        _sent("POST", "the form", {"username": user, "password": "•" * 8, "csrf": "…"})
        page = flow.log_in(page)
        _got(f"a session, and the page {page.title!r}")

        self._step("The user agrees", "Asked each time: any program here could pass for this app.")
        _sent("POST", "the form", {"action": "approve", "csrf": "…"})
        answer = flow.allow(page)
        _got(f"303, to the app at {flow.client['redirect_uri']}")

        self._step(
            "The browser brings the app the answer",
            "The state is the app's own, so this answers its request; iss is who answered. The "
            "code is good for one use, within a minute.",
        )
        _shown(answer)

        self._step(
            "The app redeems the code", "With the verifier, whose hash it sent in the first step."
        )
        _sent(
            "POST", f"{flow.issuer}/token",
            {
                "grant_type": "authorization_code", "code": answer["code"],
                "code_verifier": flow.verifier, "client_id": flow.client["client_id"],
            },
        )  # fmt: skip
        tokens = flow.redeem(answer)
        _got("an access token, and a refresh token")
        self._show_tokens(tokens)

        self._step(
            "The app refreshes",
            "The access token is short-lived. Each refresh token is good for one use, so that "
            "a stolen one gives itself away.",
        )
        _sent("POST", f"{flow.issuer}/token", _refreshing(tokens))
        fresh = flow.refresh(tokens["refresh_token"])
        _got("a new pair")
        self._show_tokens(fresh, claims=False)

        self._step(
            "The app gives everything back",
            "With the refresh token goes all that came from this consent; it refreshes no more.",
        )
        _sent("POST", f"{flow.issuer}/revoke", {"token": fresh["refresh_token"]})
        flow.revoke(fresh["refresh_token"])
        _got("200")
        _sent("POST", f"{flow.issuer}/token", _refreshing(fresh))
        _got(f"400 {flow.refused(**_refreshing(fresh))}")
        print(f"\n{_bold('Done.')} In a browser the same begins with a URL like this one:\n")
        print(f"  {flow.url}\n")

    def _step(self, title: str, explained: str) -> None:
        self._number += 1
        print(f"\n{_bold(f'{self._number}  {title}')}")
        print(textwrap.fill(explained, _WIDTH, initial_indent="   ", subsequent_indent="   "))

    def _show_tokens(self, tokens: Mapping[str, Any], *, claims: bool = True) -> None:
        verified = access_token.verified(
            tokens["access_token"],
            self._public_key,
            self._flow.issuer,
            self._flow.client,
            subject=self._flow.user["username"],
        )
        _shown({"access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"]})
        if claims:
            print("     which says, signed with the host's key:")
            _shown({name: str(value) for name, value in verified.claims.items()})


def _refreshing(tokens: Mapping[str, Any]) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}


def _sent(method: str, where: str, values: Mapping[str, str]) -> None:
    print(f"   {_blue('→')} {method} {where}")
    _shown(values)


def _got(what: str) -> None:
    print(f"   {_green('←')} {what}")


def _shown(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        print(f"       {_dim(f'{name:<{_NAMES}}')} {_short(value)}")


def _short(value: str) -> str:
    return value if len(value) <= 56 else f"{value[:24]}…{value[-12:]} ({len(value)} characters)"


def _styled(text: str, code: int) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\033[{code}m{text}\033[0m"


def _bold(text: str) -> str:
    return _styled(text, 1)


def _dim(text: str) -> str:
    return _styled(text, 2)


def _blue(text: str) -> str:
    return _styled(text, 34)


def _green(text: str) -> str:
    return _styled(text, 32)
