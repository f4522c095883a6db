"""docs/inventory.md has every key of the schema, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from roles.hostdata.certificates import AcmeData, CertificateFilesData, LocalCaData
from roles.hostdata.clients import ClientData, UserData
from roles.hostdata.firewall import FirewallData, OpenPortData
from roles.hostdata.host import HostData
from roles.hostdata.pkcs11 import Pkcs11Data
from roles.hostdata.server import OAuthServerData
from roles.hostdata.services import ChronyData, Fail2banData, LogrotateData, RedisData, SysctlData
from roles.secrets import Source

PAGE = (Path(__file__).parents[3] / "docs" / "inventory.md").read_text()
MODELS: dict[str, list[type[BaseModel]]] = {
    "address": [],
    "sudo_password": [],
    "oauth_server": [OAuthServerData, Pkcs11Data],
    "clients": [ClientData],
    "users": [UserData],
    "certificates": [CertificateFilesData, LocalCaData, AcmeData],
    "sysctl": [SysctlData],
    "chrony": [ChronyData],
    "redis": [RedisData],
    "firewall": [FirewallData, OpenPortData],
    "fail2ban": [Fail2banData],
    "logrotate": [LogrotateData],
}


def rows(section: str) -> dict[str, list[str]]:
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split(" | ")] for key, rest in found}


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].replace("`", "").split(" (")[0]: part for part in parts}


def default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value in (None, (), {}):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_each_key_of_a_host_has_a_section() -> None:
    assert MODELS.keys() == HostData.model_fields.keys()
    assert set(MODELS) <= set(sections())


@pytest.mark.parametrize("role", MODELS)
def test_each_key_of_a_role_has_a_row_with_its_default(role: str) -> None:
    documented = {key: cells[1].strip("`") for key, cells in rows(sections()[role]).items()}
    fields = {
        key: default(field)
        for model in MODELS[role]
        for key, field in model.model_fields.items()
        if key != "mode"
    }
    if role == "clients":
        fields["audience"] = "the issuer"
    if role == "chrony":
        fields["servers"] = "0.pool.ntp.org` to `3.pool.ntp.org"
    assert documented == fields


def test_each_place_of_a_secret_has_a_row() -> None:
    assert rows(sections()["Where a secret lies"]).keys() == Source.model_fields.keys()
