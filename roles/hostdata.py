"""The schema of everything that a host in an inventory may carry, one key a role.

Defaults stand here and nowhere else. pyinfra merges data by whole keys (`--data`, host, group,
all): the most specific value of a key wins as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pyinfra.api.arguments import all_global_arguments

from roles.certificate_data import AcmeData, CertificatesData
from roles.errors import DeployError
from roles.firewall_data import FirewallData
from roles.schema import Data, Network
from roles.secrets import Source
from roles.token_data import Pkcs11Data

_GLOBAL_ARGUMENTS = frozenset(name for name, _ in all_global_arguments() if name.startswith("_"))
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class HostDataError(DeployError):
    """Every fault of the inventory, a line each: host, key, rule."""


def _address(value: str) -> str:
    if not _is_address(value):
        raise ValueError("must be an IP address")
    return value


def _host(value: str) -> str:
    """A host name in lower case, or an address."""
    if not (_is_name(value) or _is_address(value)):
        raise ValueError("must be a host name in lower case, or an IP address")
    return value


def _is_name(value: str) -> bool:
    """Whether it is a name and no address gone wrong, whose last label is a number."""
    return bool(_HOSTNAME.fullmatch(value)) and not value.rpartition(".")[2].isdigit()


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _issuer(value: str) -> str:
    """RFC 8414 §2, and this project's ports: https, a host, and nothing else."""
    name = value.removeprefix("https://")
    # Without brackets an IPv6 address makes no URL, and with them no server_name.
    if name == value or not (_is_name(name) or (_is_address(name) and ":" not in name)):
        raise ValueError(
            "must be https://<name> with a lower-case name or an IPv4 address, and no port, path "
            "or trailing slash"
        )
    return value


def _redirect_uri(value: str) -> str:
    """RFC 6749 §3.1.2, RFC 8252 §7; the server checks it once more and further."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("must be printable ASCII without spaces (RFC 3986 §2)")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("must be a URI (RFC 3986)") from None
    if "#" in value:
        raise ValueError("must have no fragment (RFC 6749 §3.1.2)")
    if parts.scheme == "http":
        if parts.hostname not in ("127.0.0.1", "::1"):
            raise ValueError(
                "http:// is allowed for the loopback literals 127.0.0.1 and [::1] alone "
                "(RFC 8252 §7.3); use https://"
            )
    elif parts.scheme == "https":
        if not parts.hostname:
            raise ValueError("must name a host")
    elif "." not in parts.scheme:
        raise ValueError("must be https://, a loopback http://, or a private-use scheme")
    return value


def _memory(value: str) -> str:
    """Redis itself takes more than 1 MB, and needs room before it refuses writes."""
    written = re.fullmatch(r"([1-9][0-9]{0,9})(kb|mb|gb)", value)
    bytes_ = int(written[1]) * _UNITS[written[2]] if written else 0
    if not 16 * _UNITS["mb"] <= bytes_ <= 1024 * _UNITS["gb"]:
        raise ValueError("must be a number with kb, mb or gb, from 16mb to 1024gb")
    return value


def _password_hash(value: str) -> str:
    """One set of parameters for all, as the server wants it: its work must tell no users apart."""
    if not re.fullmatch(
        r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", value
    ):
        raise ValueError("must be what `oauth-server users hash` prints ($argon2id$v=19$m=65536,…)")
    return value


_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}

Host = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
Issuer = Annotated[str, AfterValidator(_issuer)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri)]
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


class OAuthServerData(Data):
    """Times are seconds; see docs/server.md for each setting."""

    issuer: Issuer
    access_token_lifetime: Annotated[int, Field(ge=60, le=86_400)] = 600
    refresh_token_lifetime: Annotated[int, Field(ge=60, le=31_536_000)] = 2_592_000
    code_timeout: Annotated[int, Field(ge=1, le=600)] = 60
    refresh_reuse_grace: Annotated[int, Field(ge=0, le=60)] = 0
    session_lifetime: Annotated[int, Field(ge=60, le=604_800)] = 28_800
    clock_leeway: Annotated[int, Field(ge=0, le=300)] = 30
    signing_algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    signing_rotation_days: Annotated[int, Field(ge=1, le=3650)] = 90
    signing_grace: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    jwks_cache_max: Annotated[int, Field(ge=0, le=604_800)] = 43_200
    scope_error_status: Literal[403, 400] = 403
    trusted_proxies: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    releases_kept: Annotated[int, Field(ge=1, le=50)] = 3
    pkcs11: Pkcs11Data | None = None


class KeySetData(Data):
    """A client's public keys (RFC 7517 §5); the server checks each of them further."""

    keys: Annotated[
        tuple[dict[str, str | list[str]], ...], Field(strict=False, min_length=1, max_length=10)
    ]

    @model_validator(mode="after")
    def _no_key_is_private(self) -> KeySetData:
        # An inventory is read by many, and a symmetric key is as secret as a private one.
        if any(_PRIVATE_MEMBERS & key.keys() for key in self.keys):
            raise ValueError("must hold public keys alone (RFC 7518 §6)")
        return self


_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class ClientData(Data):
    """One entry of clients.json (RFC 7591 §2's names).

    A client with a secret has `client_secret_hash`, or `client_secret` that names where the secret
    itself lies: it is hashed on this machine. One with private_key_jwt has `jwks` instead.
    """

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]
    client_name: str | None = None
    redirect_uris: Annotated[tuple[RedirectUri, ...], Field(strict=False)] = ()
    grant_types: Annotated[
        tuple[Literal["client_credentials", "authorization_code", "refresh_token"], ...],
        Field(strict=False, min_length=1),
    ]
    scope: Annotated[str, Field(pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$")]
    token_endpoint_auth_method: Literal[
        "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
    ]
    audience: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    resource: str | None = None
    jwks: KeySetData | None = None
    client_secret_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    client_secret: Annotated[Source, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _secret_fits_the_method(self) -> ClientData:
        secrets = sum(s is not None for s in (self.client_secret_hash, self.client_secret))
        method = self.token_endpoint_auth_method
        if (self.jwks is not None) is not (method == "private_key_jwt"):
            raise ValueError("jwks and token_endpoint_auth_method private_key_jwt belong together")
        if method == "none":
            if secrets:
                raise ValueError("a public client (token_endpoint_auth_method none) has no secret")
        elif method == "private_key_jwt":
            if secrets:
                raise ValueError("a client with private_key_jwt has no secret (RFC 7523)")
        elif secrets != 1:
            raise ValueError("name exactly one of client_secret_hash and client_secret")
        return self

    @model_validator(mode="after")
    def _grants_fit_the_client(self) -> ClientData:
        public = self.token_endpoint_auth_method == "none"  # noqa: S105 - a method, not a secret
        if public and "client_credentials" in self.grant_types:
            raise ValueError("client_credentials is for confidential clients (RFC 6749 §4.4)")
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("authorization_code needs redirect_uris (RFC 6749 §3.1.2.2)")
        return self


class UserData(Data):
    """One entry of users.json; `oauth-server users hash` makes the hash."""

    username: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
    password_hash: Annotated[str, AfterValidator(_password_hash)]
    disabled: bool = False


class Fail2banData(Data):
    """Times are seconds. The machine that deploys is never banned, whatever stands here."""

    ignore: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    max_retry: Annotated[int, Field(ge=1, le=10_000)] = 10
    find_time: Annotated[int, Field(ge=1, le=604_800)] = 600
    ban_time: Annotated[int, Field(ge=1, le=31_536_000)] = 3600


class LogrotateData(Data):
    """`keep` files of one day each."""

    keep: Annotated[int, Field(ge=1, le=3650)] = 14


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
            if _is_address(name) or "." not in name:
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


def validate(host: str, data: Mapping[Any, Any], *, connection_keys: frozenset[str]) -> HostData:
    """Check one host's merged inventory data.

    `connection_keys` are those that pyinfra itself reads (`ssh_user` and so on), as it does its
    global arguments (`_sudo` and so on). No value is ever part of a message.

    Raises HostDataError.
    """
    pyinfras = connection_keys | _GLOBAL_ARGUMENTS
    ours = {key: value for key, value in data.items() if key not in pyinfras}
    try:
        return HostData.model_validate(ours)
    except ValidationError as error:
        raise HostDataError("\n".join(_lines(host, error, pyinfras))) from None


def _lines(host: str, error: ValidationError, pyinfras: frozenset[str]) -> Iterator[str]:
    faults = error.errors(include_input=False, include_url=False)
    for fault in faults:
        location = fault["loc"]
        if any(other["loc"][: len(location)] == location != other["loc"] for other in faults):
            continue  # what lies beneath is the reason, and has its own line
        path = _path(location)
        rule = _rule(fault)
        if location[-1:] == ("[key]",):
            rule = f"the key itself {rule}"
        if fault["type"] == "extra_forbidden":
            rule += _suggestion(location, pyinfras)
        yield f"{host}: {path}: {rule}" if path else f"{host}: {rule}"


_RULES = {
    "extra_forbidden": "unknown key",
    "invalid_key": "a key must be text",
    "missing": "is missing",
    "union_tag_not_found": "its mode must be local_ca, files or acme",
    "union_tag_invalid": "its mode must be local_ca, files or acme",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_type": "must be text",
    "string_unicode": "must be text that UTF-8 can hold",
    "path_type": "must be a path, as text",
    "int_type": "must be a whole number",
    "bool_type": "must be True or False",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
}


def _rule(fault: ErrorDetails) -> str:
    """In the words of whoever writes an inventory, who knows of no tuple and no model."""
    wording = _RULES.get(fault["type"])
    if wording is None:
        return fault["msg"].removeprefix("Value error, ")
    return wording.format_map(fault.get("ctx", {}))


def _path(location: tuple[int | str, ...]) -> str:
    """`clients[0].redirect_uris[1]`; pydantic's own tags are no part of what was written."""
    parts = [
        part
        for position, part in enumerate(location)
        if not (position == 1 and part in ("local_ca", "files", "acme")) and part != "[key]"
    ]
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".")
    return path if path.isprintable() else ascii(path)[1:-1]


def _suggestion(location: tuple[int | str, ...], pyinfras: frozenset[str]) -> str:
    models: list[type[BaseModel]] = [*Data.__subclasses__(), Source]
    if len(location) > 1:
        models.remove(HostData)
    known = {name for model in models for name in model.model_fields}
    if len(location) == 1:
        known |= pyinfras
    near = get_close_matches(str(location[-1]), sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
