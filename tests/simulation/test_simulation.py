"""Ten years, and no token refused that is good, or accepted that is not."""

from __future__ import annotations

import pytest

from tests.simulation.lengths import timing
from tests.simulation.scenario import scenario


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_ten_years(seed: int) -> None:
    with scenario(timing(), seed) as fleet:
        faults = fleet.run()
        assert not faults, "\n".join(fleet.explain(faults[0]))
        # It was no quiet time.
        assert fleet.rotations > 150
        assert fleet.emergencies > 20
        assert fleet.kills > 20
        assert fleet.excused < fleet.emergencies / 2
