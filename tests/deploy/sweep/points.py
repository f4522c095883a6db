"""Where a run is interrupted: the operation, how long after its start, and in which run."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.deploy.sweep.interruptions import KINDS


@dataclass(frozen=True)
class Point:
    """A place in a run: `run` is "first" or "changed", `after` in seconds from the operation on."""

    run: str
    operation: str
    after: float = 0.0


# In the order of a run. Where an operation takes seconds there are several points in it.
POINTS = (
    Point("first", "Fetch missing packages", after=1.0),
    Point("first", "Install packages", after=0.5),
    Point("first", "Install packages", after=2.0),
    Point("first", "Install packages", after=4.0),
    Point("first", "Install packages", after=6.0),
    Point("first", "Have the user oauth_user"),
    Point("first", "Apply the kernel settings"),
    Point("first", "Write chrony.conf"),
    Point("first", "Install the certificate and its key"),
    Point("first", "Make the server's password and its ACL"),
    Point("first", "Write redis.conf"),
    Point("first", "Unpack the release"),
    Point("first", "Unpack the release", after=1.0),
    Point("first", "Switch to the release"),
    Point("first", "Make signing keys", after=0.2),
    Point("first", "Run the server"),
    Point("first", "Write nginx.conf"),
    Point("first", "Run Fail2Ban"),
    Point("changed", "Apply the kernel settings"),
    Point("changed", "Write zz-portcullis.conf"),
    Point("changed", "Run chrony"),
    Point("changed", "Write redis.conf"),
    Point("changed", "Run Redis", after=0.1),
    Point("changed", "Unpack the release"),
    Point("changed", "Unpack the release", after=1.0),
    Point("changed", "Write clients.json"),
    Point("changed", "Switch to the release"),
    Point("changed", "Run the server"),
    Point("changed", "Write oauth-server's rotation"),
    Point("changed", "Run Fail2Ban"),
)


@dataclass(frozen=True)
class Case:
    point: Point
    kind: str

    def __str__(self) -> str:
        operation = self.point.operation.lower().replace(" ", "_")
        return f"{self.point.run}-{operation}-{self.point.after}s-{self.kind}"


def cases(seed: int, *, sample: bool) -> list[Case]:
    """Give each point a kind of interruption, each kind equally often; the seed shuffles them.

    A sample has each kind once, one of them in a first run, which takes longest.
    """
    random = Random(seed)  # noqa: S311 - a choice of tests
    kinds = list(KINDS) * (len(POINTS) // len(KINDS))
    random.shuffle(kinds)
    every = [Case(point, kind) for point, kind in zip(POINTS, kinds, strict=True)]
    if not sample:
        return every
    while True:
        some = [random.choice([case for case in every if case.kind == kind]) for kind in KINDS]
        if sum(case.point.run == "first" for case in some) == 1:
            return sorted(some, key=every.index)
