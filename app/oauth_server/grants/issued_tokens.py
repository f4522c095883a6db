"""Access tokens of this issuer, as anybody with its public keys can verify them (RFC 9068 §4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from oauth_server.keys import verification
from oauth_server.keys.jose import PublicKey
from oauth_server.protocol import access_token, jws
from oauth_server.protocol.access_token import AccessToken
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import JwsError


class IssuedTokens:
    """`keys` are the published ones by kid; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        issuer: str,
        keys: Mapping[str, PublicKey],
        leeway: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._leeway = leeway
        self._clock = clock

    def verify(self, token: str) -> AccessToken:
        """What a token says that is valid now. Raises ClaimsError, whose reason is for the log."""
        try:
            parsed = jws.parse(token)
        except JwsError:
            raise ClaimsError("token_malformed") from None
        if not verification.verifies(parsed, self._keys):
            raise ClaimsError("signature_invalid")
        return access_token.read(
            parsed, issuer=self._issuer, now=self._clock(), leeway=self._leeway
        )
