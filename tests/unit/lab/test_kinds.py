"""What a user may ask for as hosts."""

import pytest

from tests.lab import kinds
from tests.lab.machine import LabError


@pytest.mark.parametrize(
    ("wanted", "hosts"),
    [
        ("1", ["debian-12"]),
        ("3", ["debian-12"] * 3),
        ("debian-12", ["debian-12"]),
        ("debian-12,debian-12", ["debian-12"] * 2),
    ],
)
def test_hosts_are_a_number_or_a_kind_each(wanted: str, hosts: list[str]) -> None:
    assert kinds.parse_hosts(wanted) == hosts


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("0", "1 to 32 hosts, not 0"),
        ("33", "1 to 32 hosts, not 33"),
        ("-1", "'-1' is no kind of host"),
        ("²", "'²' is no kind of host"),
        ("debian-12,", "'' is no kind of host"),
        ("debian-11", "'debian-11' is no kind of host; there are: debian-12"),
        (",".join(["debian-12"] * 33), "1 to 32 hosts, not 33"),
    ],
)
def test_anything_else_is_refused_by_name(wanted: str, said: str) -> None:
    with pytest.raises(LabError) as refused:
        kinds.parse_hosts(wanted)
    assert said in str(refused.value)
