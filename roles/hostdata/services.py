"""What stands beside the server: kernel settings, clock, Redis, Fail2Ban, logrotate."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from roles.hostdata.names import Host
from roles.hostdata.schema import Data, Network

_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


def _memory(value: str) -> str:
    """Redis itself takes more than 1 MB, and needs room before it refuses writes."""
    written = re.fullmatch(r"([1-9][0-9]{0,9})(kb|mb|gb)", value)
    bytes_ = int(written[1]) * _UNITS[written[2]] if written else 0
    if not 16 * _UNITS["mb"] <= bytes_ <= 1024 * _UNITS["gb"]:
        raise ValueError("must be a number with kb, mb or gb, from 16mb to 1024gb")
    return value


Memory = Annotated[str, AfterValidator(_memory)]
# What fits into a kernel's int, unsigned int or unsigned long, the widest that a key has.
KernelNumber = Annotated[int, Field(ge=-(2**31), lt=2**64)]


class SysctlData(Data):
    """`values` replace or join the role's own, for example {"net.core.somaxconn": 8192}."""

    values: dict[Annotated[str, Field(pattern=r"^[a-z0-9_.*/-]+$")], KernelNumber] = Field(
        default={}
    )


class ChronyData(Data):
    """`nts` are those of `servers` that prove who they are (RFC 8915), by a CA in `nts_ca`.

    `steer_clock: False` is for containers, which have no clock of their own to set.
    """

    servers: tuple[Host, ...] = Field(
        default=("0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org", "3.pool.ntp.org"),
        min_length=1,
        strict=False,
    )
    nts: Annotated[tuple[Host, ...], Field(strict=False)] = ()
    nts_ca: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$")] | None = None
    steer_clock: bool = True

    @model_validator(mode="after")
    def _nts_fits_the_servers(self) -> ChronyData:
        if unknown := [name for name in self.nts if name not in self.servers]:
            raise ValueError(f"nts: {', '.join(unknown)} must be among servers")
        if self.nts_ca and not self.nts:
            raise ValueError("nts_ca is for nts, which names no server")
        return self


class RedisData(Data):
    """`maxmemory` as in redis.conf, for example "256mb"."""

    maxmemory: Memory = "256mb"


class Fail2banData(Data):
    """Times are seconds. The machine that deploys is never banned, whatever stands here."""

    ignore: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    max_retry: Annotated[int, Field(ge=1, le=10_000)] = 10
    find_time: Annotated[int, Field(ge=1, le=604_800)] = 600
    ban_time: Annotated[int, Field(ge=1, le=31_536_000)] = 3600


class LogrotateData(Data):
    """`keep` files of one day each."""

    keep: Annotated[int, Field(ge=1, le=3650)] = 14
