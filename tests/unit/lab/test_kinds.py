"""What a user may ask for as hosts."""

import pytest

from tests.lab import kinds, places
from tests.lab.machine import UsageError

UBUNTU = "ubuntu-22.04-layout"


@pytest.mark.parametrize(
    ("wanted", "kind", "hosts"),
    [
        (None, None, None),
        ("1", None, ["debian-12"]),
        ("3", None, ["debian-12"] * 3),
        (None, UBUNTU, [UBUNTU]),
        ("3", UBUNTU, [UBUNTU] * 3),
        ("debian-12", None, ["debian-12"]),
        (f"debian-12,{UBUNTU}", None, ["debian-12", UBUNTU]),
        ("debian-12,el9-layout", None, ["debian-12", "el9-layout"]),
    ],
)
def test_hosts_are_a_number_of_one_kind_or_a_kind_each(
    wanted: str | None, kind: str | None, hosts: list[str] | None
) -> None:
    assert kinds.parse_hosts(wanted, kind) == hosts


@pytest.mark.parametrize(
    ("wanted", "kind", "said"),
    [
        ("", None, "'' is no kind of host"),
        ("0", None, "1 to 32 hosts, not 0"),
        ("33", None, "1 to 32 hosts, not 33"),
        ("9999999999", UBUNTU, "1 to 32 hosts, not 9999999999"),
        ("9" * 5000, None, "1 to 32 hosts, not 99999"),
        ("-1", None, "'-1' is no kind of host"),
        ("²", None, "'²' is no kind of host"),
        ("debian-12,", None, "'' is no kind of host"),
        ("debian-11", None, "'debian-11' is no kind of host; there are: debian-12, "),
        (None, "ubuntu", "'ubuntu' is no kind of host; there are: debian-12, "),
        ("0", "ubuntu", "'ubuntu' is no kind of host"),
        ("2", "debian-12,debian-12", "'debian-12,debian-12' is no kind of host"),
        (",".join(["debian-12"] * 33), None, "1 to 32 hosts, not 33"),
        (f"debian-12,{UBUNTU}", "debian-12", "name each one's kind already"),
        ("debian-12", "debian-12", "name each one's kind already"),
    ],
)
def test_anything_else_is_refused_by_name(wanted: str | None, kind: str | None, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        kinds.parse_hosts(wanted, kind)
    assert said in str(refused.value)


def test_what_is_an_emulation_is_called_one() -> None:
    """Nothing may look as if it had run on Ubuntu or on EL."""
    emulations = set(kinds.KINDS) - {"debian-12"}
    assert [name for name in emulations if not name.endswith("-layout")] == []


def test_each_kind_is_described() -> None:
    page = (places.CHECKOUT / "docs" / "lab.md").read_text()
    assert [kind for kind in kinds.KINDS if f"\n| `{kind}`" not in page] == []
