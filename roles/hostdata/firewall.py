"""What an inventory says of a host's firewall."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from roles.hostdata.schema import Data, Network

Networks = Annotated[tuple[Network, ...], Field(strict=False)]


class OpenPortData(Data):
    """One more port that is open: to everybody, or to `sources` alone."""

    port: Annotated[int, Field(ge=1, le=65_535)]
    protocol: Literal["tcp", "udp"] = "tcp"
    sources: Networks = ()


class FirewallData(Data):
    """`close: False` leaves it to others what else is open; limits by source are set nevertheless.

    A limit of 0 is none. `server_sources` are those that may connect to 8443; none are all.
    """

    close: bool = True
    open: Annotated[tuple[OpenPortData, ...], Field(strict=False)] = ()
    server_sources: Networks = ()
    unlimited: Networks = ()
    connections_per_source: Annotated[int, Field(ge=0, le=1_000_000)] = 1024
    new_connections_per_second: Annotated[int, Field(ge=0, le=100_000)] = 200

    @model_validator(mode="after")
    def _ports_are_named_once(self) -> FirewallData:
        named = [(one.port, one.protocol) for one in self.open]
        if twice := sorted({each for each in named if named.count(each) > 1}):
            shown = ", ".join(f"{port}/{protocol}" for port, protocol in twice)
            raise ValueError(f"open: {shown} stands there twice")
        return self
