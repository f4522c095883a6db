"""A fleet on one Redis: each host with a ring, an identity and a server of its own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from oauth_server.fleet import identity
from oauth_server.keys import lifecycle
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.redis.server import Server as Redis
from tests.server.process import ENVIRONMENT, Server, Site, configure, serving
from tests.server.shared_state.pair import settings


@dataclass
class Host:
    """`changes` are to its settings."""

    name: str
    directory: Path
    site: Site
    redis: Redis
    changes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(
        cls, name: str, directory: Path, site: Site, redis: Redis, *, joining: bool = False,
        **changes: Any,
    ) -> Host:  # fmt: skip
        """One with quick keys, which sign as soon as all hosts have published them."""
        home = directory / name
        home.mkdir()
        own = dataclasses.replace(site, keys=home / "keys")
        lifecycle.init(
            own.keys, Policy(Algorithm.ES256), datetime.now(timezone.utc), joining=joining
        )
        identity.establish(own.keys)
        wanted = {
            "signing": {"algorithm": "ES256"},
            "jwks_cache_max": 0,
            "fleet_file": str(home / "fleet.json"),
            **settings(redis),
            **changes,
        }
        host = cls(name, home, own, redis, wanted)
        configure(home, own, **wanted)
        return host

    @property
    def member(self) -> dict[str, Any]:
        """As a deploy pins it."""
        return {"host": self.name, "identity": identity.text(identity.load(self.site.keys).public)}

    def pin(self, hosts: Sequence[Host], **more: Any) -> None:
        document = {"host": self.name, "members": [host.member for host in hosts], **more}
        new = self.directory / "fleet.new"
        new.write_text(json.dumps(document))
        new.rename(self.directory / "fleet.json")

    @contextmanager
    def serving(self) -> Iterator[Server]:
        with serving(self.directory, self.site, **self.changes) as server:
            yield server

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of `oauth-server keys` on this host."""
        return subprocess.run(
            [sys.executable, "-m", "oauth_server", "keys", *arguments,
             "--config", str(self.directory / "server.yaml")],
            env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def active(self) -> str:
        return str((self.site.keys / "ring/active").readlink())

    @property
    def kids(self) -> set[str]:
        ring = self.site.keys / "ring"
        return {path.name for path in ring.iterdir() if path.is_dir() and not path.is_symlink()}


def published(server: Server) -> set[str]:
    with server.gateway() as http:
        return {key["kid"] for key in http.get("/.well-known/jwks.json").json()["keys"]}
