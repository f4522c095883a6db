"""Which package sources an image gets, and which of them the proxy may reach."""

from pathlib import Path

import pytest

from tests.lab import sources
from tests.lab.kinds import KINDS

KIND = KINDS["debian-12"]
SIGNED = f"deb [signed-by={KIND.keyring}]"
MIRROR = "http://mirror.example/debian/"
SECURITY = "https://mirror.example/security/"


def test_the_machines_own_mirrors_are_used() -> None:
    targets = (
        f"Debian {MIRROR} bookworm main\n"
        f"Debian {MIRROR} bookworm-updates main\n"
        f"Debian {SECURITY} bookworm-security main\n"
    )
    assert sources.from_targets(KIND, targets) == [
        f"{SIGNED} {MIRROR} bookworm main",
        f"{SIGNED} {MIRROR} bookworm-updates main",
        f"{SIGNED} {SECURITY} bookworm-security main",
    ]


@pytest.mark.parametrize("release", ["trixie", "stable", "sid"])
def test_a_machine_of_another_release_lends_its_mirror(release: str) -> None:
    targets = f"Debian {MIRROR} {release} main\nDebian {SECURITY} {release}-security main\n"
    assert sources.from_targets(KIND, targets) == [
        f"{SIGNED} {MIRROR} bookworm main",
        f"{SIGNED} {SECURITY} bookworm-security main",
    ]


def test_before_the_first_update_the_suites_name_is_enough() -> None:
    assert sources.from_targets(KIND, f"$(ORIGIN) {MIRROR} bookworm main\n") == [
        f"{SIGNED} {MIRROR} bookworm main"
    ]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("Ubuntu http://ubuntu.example/ jammy main", id="ubuntu"),
        pytest.param("$(ORIGIN) http://vendor.example/ trixie main", id="unknown-origin"),
        pytest.param("Vendor http://vendor.example/ bookworm main", id="a-vendor"),
        pytest.param("Debian file:/media/cdrom/ bookworm main", id="cd-rom"),
        pytest.param(f"Debian {MIRROR} bookworm contrib", id="another-component"),
        pytest.param(f"Debian {MIRROR} bookworm-backports main", id="backports"),
        pytest.param(f"Debian {MIRROR} bookworm-proposed-updates main", id="proposed"),
        pytest.param(f"Debian {SECURITY} bookworm-security main", id="no-base-suite"),
    ],
)
def test_other_sources_are_left_to_mmdebstraps_own_choice(target: str) -> None:
    assert sources.from_targets(KIND, f"{target}\n") == []


def test_the_proxy_reaches_what_the_image_names(tmp_path: Path) -> None:
    apt = tmp_path / "etc/apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (apt / "sources.list").write_text(f"{SIGNED} {MIRROR} bookworm main\n")
    (apt / "sources.list.d/more.sources").write_text(
        "Types: deb\nURIs: https://mirror.example:8443/x http://[2001:db8::1]/debian\n"
    )
    assert sources.mirrors_of(tmp_path) == {
        "mirror.example:80",
        "mirror.example:8443",
        "2001:db8::1:80",
    }


def test_apts_own_proxy_comes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://environment.example")
    monkeypatch.setenv("https_proxy", "http://environment.example")
    monkeypatch.setattr(sources, "run", lambda *_: "http='http://apt.example:3142'\n")
    assert sources.apt_proxies() == {
        "http": "http://apt.example:3142",
        "https": "http://environment.example",
    }


def test_a_proxy_that_apt_is_told_not_to_use_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://environment.example")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(sources, "run", lambda *_: "http='DIRECT'\n")
    assert sources.apt_proxies() == {}
