from __future__ import annotations

from unittest import mock

import pytest

from oauth_server.keys import algorithms, verification
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from oauth_server.protocol import jws

KEYS = {algorithm: PrivateKey.generate(algorithm) for algorithm in Algorithm}
PUBLISHED = {key.public.kid: key.public for key in KEYS.values()}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_key_that_is_named_verifies(algorithm: Algorithm) -> None:
    token = jws.parse(KEYS[algorithm].sign("at+jwt", {"sub": "ada"}))
    assert verification.verifies(token, PUBLISHED)
    others = {kid: key for kid, key in PUBLISHED.items() if kid != token.kid}
    assert not verification.verifies(token, others)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_that_there_is_not_costs_the_same_verification(algorithm: Algorithm) -> None:
    """Who measures learns of no key and of no client."""
    token = jws.parse(KEYS[algorithm].sign("at+jwt", {}))
    wrong = {kid: key for kid, key in PUBLISHED.items() if key.algorithm is not algorithm}
    misnamed = {token.kid: next(iter(wrong.values()))}
    for keys in (PUBLISHED, wrong, misnamed, {}):
        with mock.patch.object(algorithms, "verifies", side_effect=algorithms.verifies) as counted:
            verification.verifies(token, keys)
        assert counted.call_count == 1
        assert counted.call_args.args[0] is algorithm
