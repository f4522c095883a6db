from __future__ import annotations

from tests.server.shared_state.pair import Pair
from tests.server.test_metrics import samples, value


def test_what_the_store_takes_is_told_by_step_and_result(pair: Pair) -> None:
    code = pair.code()
    assert pair.redeem(code).status_code == 200
    pair.redis.kill()
    assert pair.redeem(code).status_code == 503
    found = samples(pair.servers[0])
    assert value(found, "store_seconds_count", step="redeem_code", result="success") == 1
    assert value(found, "store_seconds_sum", step="redeem_code", result="success") > 0
    assert value(found, "store_seconds_count", step="present_code", result="failure") == 1
