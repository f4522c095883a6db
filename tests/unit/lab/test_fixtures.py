"""Tests that need a lab say why they did not run, and may not stay silent under CI."""

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.lab import fixtures, naming, prerequisites


def test_a_long_session_never_runs_out_of_names() -> None:
    names = [fixtures.unused_name() for _ in range(100)]
    assert len({naming.checked(name) for name in names}) == 100


@pytest.fixture(autouse=True)
def unsuitable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "missing", lambda: "a lab needs root")


def test_on_a_users_machine_the_test_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(Skipped, match="a lab needs root"):
        fixtures.require_lab()


def test_under_ci_the_same_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Failed, match="a lab needs root"):
        fixtures.require_lab()
