from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from oauth_server.fleet import announcement, identity, record, statement
from oauth_server.fleet.record import Memory
from oauth_server.keys import lifecycle, ring
from tests.unit.oauth_server.fleet.hosts import ISSUER, NOW
from tests.unit.oauth_server.keys.rings import POLICY


@pytest.mark.parametrize(
    ("before", "follows"),
    [
        pytest.param(None, False, id="the server never said anything"),
        pytest.param(timedelta(0), True, id="in the same moment"),
        pytest.param(timedelta(seconds=30), True, id="before the clock was set back"),
    ],
)
def test_a_command_speaks_after_the_server(
    tmp_path: Path, before: timedelta | None, *, follows: bool
) -> None:
    """The others would not hear of an emergency otherwise."""
    keys, state = tmp_path / "keys", tmp_path / record.FILE
    lifecycle.init(keys, POLICY, NOW)
    known_by = identity.establish(keys).public
    place = 0 if before is None else statement.sequence(NOW + before)
    if before is not None:
        record.save(state, ISSUER, Memory({}, place))
    text = announcement.of_ring(keys, state, "one", ISSUER, NOW)
    said = statement.read(text, known_by, host="one", issuer=ISSUER, now=NOW)
    assert said.sequence == (place + 1 if follows else statement.sequence(NOW))
    assert {key.kid for key in said.keys} == {path.name for path in ring.entries(keys / "ring")}


def test_a_damaged_state_does_not_silence_it(tmp_path: Path) -> None:
    keys, state = tmp_path / "keys", tmp_path / record.FILE
    lifecycle.init(keys, POLICY, NOW)
    known_by = identity.establish(keys).public
    state.write_text("{")
    text = announcement.of_ring(keys, state, "one", ISSUER, NOW)
    assert statement.read(text, known_by, host="one", issuer=ISSUER, now=NOW).sequence > 0
