"""What a running lab tells its user and other programs: ssh_config, keys and lab.json."""

import json
import secrets
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from tests.lab import naming, places, ssh
from tests.lab.machine import LabError
from tests.lab.record import LabRecord

SCOPE = "telemetry:read telemetry:write"
_REMEDY = (
    "bring a lab up with `make lab`, which writes it, or name the lab.json of another one in "
    "PORTCULLIS_LAB_JSON"
)


class _Host(BaseModel):
    name: str
    kind: str
    address: str


class _ConfidentialClient(BaseModel):
    client_id: str
    client_secret: str
    scope: str


class _PublicClient(BaseModel):
    client_id: str
    redirect_uri: str
    scope: str


class _User(BaseModel):
    username: str
    password: str
    password_hash: str


class _LabJson(BaseModel):
    hosts: Annotated[list[_Host], Field(min_length=1)]
    ssh_config: str
    issuer: Annotated[str, Field(pattern="^https://")]
    ca_file: str
    confidential_client: _ConfidentialClient
    public_client: _PublicClient
    user: _User


def write(record: LabRecord) -> Path:
    """Write the lab's directory in the checkout and give lab.json's path."""
    directory = places.described(Path(record.checkout), record.name)
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "ca").mkdir(mode=0o700, exist_ok=True)
    passphrase = directory / "ca-passphrase"
    if not passphrase.exists():
        places.write(passphrase, secrets.token_urlsafe(32) + "\n", mode=0o600)
    described = {
        "hosts": [
            {"name": host.name, "kind": host.kind, "address": host.address} for host in record.hosts
        ],
        "ssh_config": str(ssh.describe(record, directory)),
        "issuer": f"https://{record.hosts[0].address}",
        "ca_file": str(directory / "ca/ca.pem"),
        "confidential_client": {
            "client_id": "lab_gateway",
            "client_secret": record.client_secret,
            "scope": SCOPE,
        },
        "public_client": {
            "client_id": "lab_app",
            "redirect_uri": "http://127.0.0.1/callback",
            "scope": SCOPE,
        },
        "user": {
            "username": "ada",
            "password": record.user_password,
            "password_hash": record.user_password_hash,
        },
    }
    lab_json = directory / "lab.json"
    places.write(lab_json, json.dumps(described, indent=2) + "\n", mode=0o600)
    if record.name == naming.DEFAULT_LAB:
        _link(directory.parent / "lab.json", Path(record.name) / "lab.json")
    return lab_json


def read(lab_json: Path) -> dict[str, Any]:
    """Give what `write` wrote; raises LabError for a file that is missing or damaged."""
    try:
        described: dict[str, Any] = json.loads(lab_json.read_text())
        _LabJson.model_validate(described)
    except FileNotFoundError:
        raise LabError(f"{lab_json} is not there: {_REMEDY}") from None
    except OSError as error:
        raise LabError(f"{lab_json} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "all of it"
        raise LabError(f"{lab_json} describes no lab ({place} is amiss): {_REMEDY}") from None
    except (ValueError, RecursionError):
        raise LabError(f"{lab_json} is not JSON: {_REMEDY}") from None
    return described


def remove(record: LabRecord) -> None:
    """Remove the lab's directory in its checkout, and what only pointed to it."""
    directory = places.described(Path(record.checkout), record.name)
    places.remove_tree(directory)
    link = directory.parent / "lab.json"
    if link.is_symlink() and not link.exists():
        link.unlink()
    if directory.parent.is_dir() and not any(directory.parent.iterdir()):
        directory.parent.rmdir()


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
