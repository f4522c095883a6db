"""server.yaml: what an operator can set."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from oauth_server import files, schema
from oauth_server.errors import OperatorError
from oauth_server.keys.timing import Timing
from oauth_server.models import Algorithm
from oauth_server.protocol import issuer as issuer_rules

DEFAULT_PATH = Path("/etc/oauth2/server.yaml")
DEFAULT_CLIENTS = "/etc/oauth2/clients.json"
DEFAULT_USERS = "/etc/oauth2/users.json"
MEMORY = "memory:"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is `memory:`, `unix://` and the path of Redis's socket, or `rediss://HOST:PORT`.

    Over TLS Redis's certificate must be `server_name`'s (the URL's host, if it isn't given), from
    a CA in `ca_file`.
    """

    url: str = MEMORY
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    server_name: str | None = None

    @property
    def socket(self) -> Path | None:
        """Redis's socket, or None for another store."""
        return Path(urlsplit(self.url).path) if self.url.startswith("unix:") else None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of a Redis over TLS, or None for another store."""
        parts = urlsplit(self.url)
        if parts.scheme != "rediss":
            return None
        assert parts.hostname is not None  # noqa: S101 - `load` has checked it
        return parts.hostname, parts.port or 6379


class Pkcs11Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A token, by its label and the module that knows it.

    `groups` are what `keys` joins when root runs it, `environment` is for the module.
    """

    module: str
    token: str
    pin_file: str
    groups: tuple[str, ...] = ()
    environment: dict[str, str] = {}


class SigningSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`grace` is a floor, in seconds, for what follows from the lifetimes (keys/timing.py).

    With `pkcs11` new keys are made on that token.
    """

    algorithm: Algorithm = Algorithm.RS256
    rotation_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    grace: Annotated[int, msgspec.Meta(ge=0, le=31536000)] | None = None
    pkcs11: Pkcs11Settings | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """server.yaml; the defaults are those of docs/server.md."""

    issuer: str
    access_token_lifetime: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 600
    refresh_token_lifetime: Annotated[int, msgspec.Meta(ge=60, le=31536000)] = 2592000
    code_timeout: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60
    refresh_reuse_grace: Annotated[int, msgspec.Meta(ge=0, le=60)] = 0
    clock_leeway: Annotated[int, msgspec.Meta(ge=0, le=300)] = 30
    session_lifetime: Annotated[int, msgspec.Meta(ge=60, le=604800)] = 28800
    scope_error_status: Literal[400, 403] = 403
    trusted_proxies: tuple[str, ...] = ()
    max_connections: Annotated[int, msgspec.Meta(ge=16, le=32768)] = 8192
    max_connections_per_source: Annotated[int, msgspec.Meta(ge=1, le=32768)] = 1024
    store: StoreSettings = StoreSettings()
    signing: SigningSettings = SigningSettings()
    jwks_cache_max: Annotated[int, msgspec.Meta(ge=0, le=604800)] = 43200
    keys_directory: str = "/etc/oauth2/keys"
    clients_file: str = DEFAULT_CLIENTS
    users_file: str = DEFAULT_USERS
    fleet_file: str = "/etc/oauth2/fleet.json"
    certificate: str = "/etc/oauth2/certs/server.pem"
    certificate_key: str = "/etc/oauth2/certs/server.key"
    log_file: str = "/var/log/oauth_server.log"
    state_directory: str = "/var/lib/oauth-server"
    clock_report: str = "/run/oauth-clock/tracking"

    @property
    def lifetime(self) -> timedelta:
        return timedelta(seconds=self.access_token_lifetime)

    @property
    def timing(self) -> Timing:
        grace = self.signing.grace
        return Timing(
            cache=timedelta(seconds=self.jwks_cache_max),
            lifetime=self.lifetime,
            leeway=timedelta(seconds=self.clock_leeway),
            rotation=timedelta(days=self.signing.rotation_days),
            floor=None if grace is None else timedelta(seconds=grace),
        )

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.trusted_proxies)


class _PlainLoader(yaml.SafeLoader):
    """YAML as people write settings: keys are text and differ, tags and aliases are refused.

    A tag can make the loader fail in a dozen ways, and a few merged aliases can fill the memory.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(
                problem="aliases (*) and tags (!) are not known here", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.constructor.ConstructorError(
                    problem="a key must be text", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{schema.shown(key.value)} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Settings:
    """Raises OperatorError with every problem of the file."""
    document = _parse(path, files.read_text(path))
    problems = schema.Problems(path)
    settings = schema.convert(Settings, document, "", _RULES, problems.report)
    if settings is not None:
        _check_store(settings.store, problems.report)
        _check_keys(settings, problems.report)
    problems.raise_any()
    assert settings is not None  # noqa: S101 - raise_any has raised otherwise
    return settings


def _parse(path: Path, text: str) -> object:
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise OperatorError(f"{path}: {where}{error.problem or 'is not YAML'}") from None
    # The last two are for numbers and dates that no type of Python's holds.
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        raise OperatorError(f"{path}: is not YAML") from None


def _issuer(issuer: str) -> Iterator[str]:
    if not issuer_rules.is_valid(issuer):
        yield "must be https:// and a name in lower case or an IPv4 address, nothing more"


def _network(text: str) -> Iterator[str]:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        yield "must be an address, or a network such as 10.0.0.0/8"


def _absolute(path: str) -> Iterator[str]:
    if not path.startswith("/") or not path.isprintable():
        yield "must be an absolute path"


def _store_url(url: str) -> Iterator[str]:
    is_socket = url.startswith("unix:///") and not re.search(r"[?#\0]", url)
    if url != MEMORY and not is_socket and not _is_redis_over_tls(url):
        yield (
            "must be memory:, unix:// and the absolute path of Redis's socket, or "
            "rediss://HOST:PORT (redis:// would send the password in the clear)"
        )


def _is_redis_over_tls(url: str) -> bool:
    """A host and perhaps a port: a password in it would be in a file that is not secret."""
    host = re.fullmatch(r"rediss://([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?", url)
    try:
        return host is not None and urlsplit(url).port != 0
    except ValueError:
        return False


_RULES: schema.Rules = {
    "issuer": _issuer,
    "trusted_proxies": _network,
    "store.url": _store_url,
    "store.password_file": _absolute,
    "signing.pkcs11.module": _absolute,
    "signing.pkcs11.pin_file": _absolute,
    "store.ca_file": _absolute,
    "keys_directory": _absolute,
    "clients_file": _absolute,
    "users_file": _absolute,
    "certificate": _absolute,
    "certificate_key": _absolute,
    "log_file": _absolute,
    "fleet_file": _absolute,
    "state_directory": _absolute,
    "clock_report": _absolute,
}


def _check_store(store: StoreSettings, report: schema.Report) -> None:
    """The rules between fields."""
    if (store.username is None) is not (store.password_file is None):
        report("store", "username and password_file belong together")
    if store.url == MEMORY and store.username is not None:
        report("store.username", "has no meaning for the memory store")
    over_tls = store.url.startswith("rediss:")
    if over_tls and store.ca_file is None:
        report("store.ca_file", "is missing: who answers at rediss:// is verified")
    if over_tls and store.username is None:
        report("store.username", "is missing: whoever reaches the port could be the server")
    for name in () if over_tls else ("ca_file", "server_name"):
        if getattr(store, name) is not None:
            report(f"store.{name}", "has a meaning for rediss:// alone")


def _check_keys(settings: Settings, report: schema.Report) -> None:
    grace = settings.signing.grace
    derived = msgspec.structs.replace(
        settings, signing=msgspec.structs.replace(settings.signing, grace=None)
    ).timing.grace()
    if grace is not None and grace < derived.total_seconds():
        report(
            "signing.grace",
            f"must be at least {derived.total_seconds():.0f}, which follows from "
            "access_token_lifetime, clock_leeway and jwks_cache_max; leave it out for that",
        )
    if timedelta(seconds=settings.jwks_cache_max) > timedelta(days=settings.signing.rotation_days):
        report(
            "signing.rotation_days",
            "must not be shorter than jwks_cache_max: a key is published that long before it signs",
        )
