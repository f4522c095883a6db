"""Drop-ins: where they lie, and what judges them before they count."""

from __future__ import annotations

import pytest

from roles.drop_ins import drop_in
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

PATH = "/etc/systemd/system/app.service.d/portcullis.conf"


@pytest.fixture
def fake() -> FakeHost:
    fake = FakeHost(Platform.DEBIAN_12)

    def role() -> None:
        made = drop_in("app.service", "[Service]\n", of="the app's", control="SANDBOX-02")
        assert made.path == PATH

    fake.run(role)
    return fake


def test_the_distributions_unit_stays_as_it_is(fake: FakeHost) -> None:
    assert list(fake.files) == [PATH]


def test_a_drop_in_is_verified_beside_its_unit(fake: FakeHost) -> None:
    """systemd ignores a line that it does not know, and says so only there."""
    check = fake.files[PATH].script
    assert 'cp "$candidate" "$stage/units/app.service.d/"' in check
    assert 'systemd-analyze verify --man=no "$stage/units/app.service"' in check
