"""`oauth-server keys init`: a valid ring, whatever was there before.

A key that is there is never replaced; modes that somebody changed are put back.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from oauth_server.keys import lifecycle
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm


def init(directory: Path, algorithm: Algorithm = Algorithm.RS256) -> str:
    """The kid of the active key, made if there was none; default timings. Raises OperatorError."""
    policy = Policy(algorithm)
    return lifecycle.init(directory, policy, datetime.now(timezone.utc))[0]
