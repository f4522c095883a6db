"""The same keys, certificate, clients and users as the tests over plain HTTP have."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser import chromium
from tests.browser.catcher import Catcher, catcher
from tests.browser.chromium import Browser
from tests.server.conftest import site
from tests.server.process import Server, Site, serving

__all__ = ["site"]


@pytest.fixture
def wordy_site(site: Site, tmp_path: Path) -> Site:
    """With a client whose names have no end."""
    registered = json.loads(site.clients.read_text())["clients"]
    scopes = [f"telemetry:{'very-' * 12}long:{number}" for number in range(12)]
    registered.append(
        {
            "client_id": "wordy",
            "client_name": "Donaudampfschifffahrtsgesellschaftskapitänskajütenwetterkarte " * 2,
            "grant_types": ["authorization_code"],
            "scope": " ".join(scopes),
            "token_endpoint_auth_method": "none",
            "redirect_uris": ["https://" + "a-long-label." * 12 + "example.com/callback"],
            "audience": ["https://api.example.com/" + "a-long-path/" * 12],
        }
    )
    clients = tmp_path / "clients.json"
    clients.write_text(json.dumps({"clients": registered}))
    return dataclasses.replace(site, clients=clients)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with chromium.driver(tmp_path_factory.mktemp("driver")) as running:
        yield running


@pytest.fixture
def browser(driver: httpx.Client, tmp_path: Path) -> Iterator[Browser]:
    with chromium.browser(driver, tmp_path / "profile") as window:
        yield window


@pytest.fixture
def app() -> Iterator[Catcher]:
    with catcher() as listening:
        yield listening


@pytest.fixture
def server(tmp_path: Path, site: Site) -> Iterator[Server]:
    with serving(tmp_path, site) as running:
        yield running
