"""Names that a lab may have, and what follows from them."""

import pytest

from tests.lab import naming
from tests.lab.machine import LabError


@pytest.mark.parametrize("name", ["lab", "t4194304z", "a2345678901"])
def test_a_labs_bridge_fits_into_an_interface_name(name: str) -> None:
    assert len(naming.bridge(naming.checked(name))) <= 15


@pytest.mark.parametrize(
    "name", ["", "Lab", "1lab", "a-b", "a.b", "a/b", "..", "lab\n", "a23456789012", "läb"]
)
def test_what_could_be_a_path_or_another_labs_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        naming.checked(name)


def test_no_labs_units_are_taken_for_anothers() -> None:
    assert not naming.unit("ab", "ab-1").startswith(naming.unit_prefix("a"))
