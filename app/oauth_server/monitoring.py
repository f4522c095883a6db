"""What is for monitoring alone: its socket, and what the server says of itself there."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from oauth_server import clock
from oauth_server.certificate import ServerCertificate
from oauth_server.errors import OperatorError
from oauth_server.fleet.membership import Membership
from oauth_server.http.crowd import Crowd
from oauth_server.keys.entry import State
from oauth_server.keys.following import Follower
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.signer import BoundedSigner
from oauth_server.loading import Loaded
from oauth_server.metrics import Metrics
from oauth_server.systemd import Passed

SOCKET = "metrics"
"""FileDescriptorName= of the socket that serves what is for monitoring, and nothing else."""


def check_loopback(sockets: Sequence[Passed]) -> None:
    """Metrics are for this host alone. Raises OperatorError."""
    for name, sock in sockets:
        if name == SOCKET and sock.family != socket.AF_UNIX:
            address = sock.getsockname()[0]
            if not ipaddress.ip_address(address).is_loopback:
                raise OperatorError(f"the socket {SOCKET!r}: {address} is not loopback")


def describe(
    metrics: Metrics,
    loaded: Callable[[], Loaded],
    signer: Callable[[], BoundedSigner],
    follower: Follower | None,
) -> None:
    """Gauges of what the server works with at the moment that somebody looks."""
    metrics.gauge(
        "sign_queue",
        "Signatures that are being made or waited for.",
        lambda: signer().pending,
    )
    metrics.gauge(
        "signing_key_age_seconds", "Since the active key was made.", lambda: _age(loaded().ring)
    )
    metrics.labelled_gauge(
        "signing_key_info", "The key that signs.", ["kid", "alg"], lambda: _info(loaded().ring)
    )
    metrics.labelled_gauge(
        "keys",
        "Keys of the ring, by state.",
        ["state"],
        lambda: {(state.value,): loaded().ring.states.get(state, 0) for state in State},
    )
    if follower is not None:
        metrics.gauge(
            "ring_unconfirmed_seconds",
            "Since the ring was seen to have the active key.",
            lambda: follower.unconfirmed,
        )
    if loaded().tls is not None:
        metrics.gauge(
            "certificate_expires_timestamp_seconds",
            "When the certificate of 8443 expires.",
            lambda: _expires(loaded().tls),
        )


def describe_crowd(metrics: Metrics, crowd: Crowd) -> None:
    metrics.gauge("connections", "Open connections to 8443.", lambda: len(crowd))
    metrics.count(
        "connections_turned_away",
        "Connections that ended because there were too many.",
        lambda: crowd.turned_away,
    )


def describe_clock(metrics: Metrics, report: Path) -> None:
    """Of what nobody knows there is no series, but that nobody knows it."""

    def ask(what: Callable[[clock.Clock], float]) -> Callable[[], Mapping[Sequence[str], float]]:
        return lambda: {(): what(told)} if (told := clock.read(report)) else {}

    metrics.gauge(
        "clock_synchronised",
        "Whether the host's clock follows a source; 0 also where nobody knows.",
        lambda: bool((told := clock.read(report)) and told.synchronised),
    )
    metrics.labelled_gauge(
        "clock_offset_seconds",
        "By how much the clock is ahead of its source.",
        [],
        ask(lambda told: told.offset),
    )
    metrics.labelled_gauge(
        "clock_error_seconds",
        "How wrong the clock can be at most.",
        [],
        ask(lambda told: told.error),
    )
    metrics.labelled_gauge(
        "clock_source_age_seconds",
        "Since a source was followed last.",
        [],
        ask(lambda told: time.time() - told.updated),
    )


def describe_fleet(metrics: Metrics, membership: Membership) -> None:
    metrics.labelled_gauge(
        "fleet_statement_age_seconds",
        "Since another server of the fleet said what was heard of it last.",
        ["host"],
        lambda: {(host,): age for host, age in membership.heard().items()},
    )


def _expires(certificate: ServerCertificate | None) -> float:
    return 0.0 if certificate is None else certificate.expires.timestamp()


def _age(ring: KeyRing) -> float:
    return 0.0 if ring.made is None else time.time() - ring.made.timestamp()


def _info(ring: KeyRing) -> Mapping[Sequence[str], float]:
    return {} if ring.signs_with is None else {(ring.signs_with[0], ring.signs_with[1].value): 1.0}
