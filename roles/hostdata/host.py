"""All that one host may carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, model_validator

from roles.hostdata.certificates import AcmeData, CertificatesData
from roles.hostdata.clients import ClientData, UserData
from roles.hostdata.firewall import FirewallData
from roles.hostdata.names import Address, is_address
from roles.hostdata.schema import Data
from roles.hostdata.server import OAuthServerData
from roles.hostdata.services import ChronyData, Fail2banData, LogrotateData, RedisData, SysctlData
from roles.secrets import Source


class HostData(Data):
    """Everything a host may carry. Without `users` the command line on the host keeps them."""

    address: Address | None = None  # where a fleet's other hosts reach it
    sudo_password: Annotated[Source, Field(strict=False)] | None = None
    oauth_server: OAuthServerData
    clients: Annotated[tuple[ClientData, ...], Field(strict=False)] = ()
    users: Annotated[tuple[UserData, ...], Field(strict=False)] | None = None
    certificates: CertificatesData
    sysctl: SysctlData = SysctlData()
    chrony: ChronyData = ChronyData()
    redis: RedisData = RedisData()
    firewall: FirewallData = FirewallData()
    fail2ban: Fail2banData = Fail2banData()
    logrotate: LogrotateData = LogrotateData()

    @model_validator(mode="after")
    def _acme_has_a_name(self) -> HostData:
        if isinstance(self.certificates, AcmeData):
            name = self.oauth_server.issuer.removeprefix("https://")
            if is_address(name) or "." not in name:
                raise ValueError(
                    "certificates: acme needs an issuer with a public name, for which http-01 can "
                    "be asked (RFC 8555 §8.3)"
                )
        return self

    @model_validator(mode="after")
    def _client_ids_are_unique(self) -> HostData:
        if twice := _repeated(client.client_id for client in self.clients):
            raise ValueError(f"clients: {', '.join(twice)} stands there twice")
        return self

    @model_validator(mode="after")
    def _usernames_are_unique(self) -> HostData:
        users = [user.username for user in self.users or ()]
        if twice := _repeated(users):
            raise ValueError(f"users: {', '.join(twice)} stands there twice")
        # Both become the `sub` of tokens (RFC 9700 §4.15).
        if both := sorted({client.client_id for client in self.clients}.intersection(users)):
            raise ValueError(f"users: {', '.join(both)} is a client_id, too")
        return self


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
