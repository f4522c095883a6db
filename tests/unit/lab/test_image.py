"""When an image is built, used again, or removed; mmdebstrap itself runs in tests/deploy."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.lab import image, places, prerequisites, record, sources
from tests.lab.el9 import shape as el9
from tests.lab.kinds import KINDS
from tests.lab.machine import LabError
from tests.lab.record import HostRecord, LabRecord

KIND = replace(KINDS["debian-12"], files=())


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Take mmdebstrap's place, and count what it was asked to build."""
    built: list[str] = []

    def build(_kind: object, _lines: object, target: Path) -> None:
        target.mkdir()
        built.append(target.name)

    monkeypatch.setattr(image, "_mmdebstrap", build)
    monkeypatch.setattr(sources, "apt_sources", lambda _: ["deb a-mirror"])
    monkeypatch.setattr(places, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(record, "all_labs", list)
    return built


def aged(built: Path, days: int) -> Path:
    """Make an image look as if it had been built some days ago."""
    then = datetime.now(timezone.utc) - timedelta(days=days)
    return built.rename(
        built.with_name(f"{built.name.rpartition('-')[0]}-{then.strftime('%Y%m%d%H%M%S')}")
    )


def test_an_image_is_built_once(builds: list[str]) -> None:
    assert image.ensure(KIND) == image.ensure(KIND)
    assert len(builds) == 1


@pytest.mark.usefixtures("builds")
def test_another_recipe_or_mirror_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    first = image.ensure(KIND)
    second = image.ensure(replace(KIND, packages=()))
    monkeypatch.setattr(sources, "apt_sources", lambda _: ["deb another-mirror"])
    assert len({first, second, image.ensure(KIND)}) == 3


@pytest.mark.usefixtures("builds")
def test_a_layout_that_is_made_otherwise_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = replace(KINDS["el9-layout"], files=())
    programs: list[object] = []
    monkeypatch.setattr(prerequisites, "have", programs.append)
    monkeypatch.setattr(el9, "shape", lambda root: (root / "shaped").touch())
    first = image.ensure(kind)
    assert (first / "shaped").exists()
    assert programs == [el9.PROGRAMS]
    monkeypatch.setattr(el9, "recipe", lambda: "another")
    assert image.ensure(kind) != first


def test_a_build_that_failed_is_no_image_and_is_begun_anew(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    working = image._mmdebstrap

    def cut_off(_kind: object, _lines: object, target: Path) -> None:
        target.mkdir()
        (target / "half").touch()
        raise LabError("no space left")

    monkeypatch.setattr(image, "_mmdebstrap", cut_off)
    with pytest.raises(LabError, match="no space left"):
        image.ensure(KIND)
    monkeypatch.setattr(image, "_mmdebstrap", working)
    assert not (image.ensure(KIND) / "half").exists()
    assert len(builds) == 1


def test_an_old_image_is_built_anew_and_removed_when_no_lab_stands_on_it(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = aged(image.ensure(KIND), days=31)
    used = aged(image.ensure(replace(KIND, packages=())), days=31)
    host = HostRecord("lab-1", KIND.name, str(used), "10.213.0.11")
    lab = LabRecord("lab", "/checkout", "10.213.0.0/24", "", "", "", (host,))
    monkeypatch.setattr(record, "all_labs", lambda: [lab])
    assert image.ensure(KIND) != old
    assert (old.exists(), used.exists(), len(builds)) == (False, True, 3)


@pytest.mark.usefixtures("builds")
def test_without_a_mirror_an_old_image_still_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = aged(image.ensure(KIND), days=31)

    def unreachable(*_: object) -> None:
        raise LabError("the mirror cannot be reached")

    monkeypatch.setattr(image, "_mmdebstrap", unreachable)
    assert image.ensure(KIND) == old
    assert "keeping the image of 31 days ago: the mirror" in capsys.readouterr().err
