"""The authorization server: its release, key, settings, clients and units."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import HiddenValue, deploy
from pyinfra.api.operation import OperationMeta

from roles.errors import DeployError
from roles.files import managed_file, render
from roles.hostdata.clients import ClientData, UserData
from roles.hostdata.pkcs11 import Pkcs11Data
from roles.hostdata.server import OAuthServerData
from roles.oauth_server import preview
from roles.oauth_server.facts import CURRENT, KEYS, RELEASES
from roles.oauth_server.fleet import FLEET, Others, fleet_file, identity
from roles.oauth_server.operations import (
    key_ring,
    old_releases_pruned,
    release_current,
    release_present,
)
from roles.oauth_server.release import build
from roles.paths import Directory, directories, owned_file
from roles.platform import Target
from roles.services import running
from roles.topology import REDIS_PORT, Place
from roles.units import VERIFY

_SETTINGS = "/etc/oauth2/server.yaml"
_CLIENTS = "/etc/oauth2/clients.json"
_USERS = "/etc/oauth2/users.json"
_CERTIFICATE = "/etc/oauth2/certs/server.pem"
_PIN = "/etc/oauth2/pkcs11.pin"
_LOG = "/var/log/oauth_server.log"
_UNITS = "/etc/systemd/system"

# A socket or timer without its service does not verify, and on a first run that comes later.
_VERIFY_BESIDE = """\
printf '[Service]\\nExecStart=/bin/true\\n' > "$stage/{service}"
"""
_VERIFY_SOCKET = _VERIFY_BESIDE.format(service="oauth-server.service") + VERIFY
_VERIFY_TIMER = _VERIFY_BESIDE.format(service="oauth-key-rotate.service") + VERIFY


@dataclass(frozen=True)
class DistantStore:
    """Redis on the host `address`, whose certificate is `server_name`'s by `ca_file`."""

    address: str
    url: str
    server_name: str
    ca_file: str

    @classmethod
    def of(cls, place: Place, issuer: str, ca_file: str) -> DistantStore | None:
        """None where Redis is on the host itself."""
        if (store := place.store) is None:
            return None
        url = f"rediss://{store.in_url}:{REDIS_PORT}"
        return cls(store.address, url, issuer.removeprefix("https://"), ca_file)


def trusting(data: OAuthServerData, place: Place) -> OAuthServerData:
    """With the gateways that come over the network among the proxies that the server believes."""
    gateways = (gateway.address for gateway in place.proxies)
    return data.model_copy(update={"trusted_proxies": (*data.trusted_proxies, *gateways)})


@deploy("oauth_server")
def oauth_server(
    data: OAuthServerData,
    clients: tuple[ClientData, ...],
    users: tuple[UserData, ...] | None,
    target: Target,
    gateway_user: str,
    redis_unit: str | None,
    certificate: tuple[OperationMeta, ...] = (),
    password: tuple[OperationMeta, ...] = (),
    renewed_there: bool = False,
    store: DistantStore | None = None,
    others: Others | None = None,
) -> None:
    """Only `gateway_user` may connect to the unix socket; `redis_unit` starts before the server.

    `store` is where Redis is, if it isn't on this host, and there is no `redis_unit` then. `others`
    are the servers of a fleet.

    `users` are None where the command line on the host keeps them.

    `certificate` and `password` are other roles' operations that make what the server reads.
    `renewed_there`: the host renews the certificate by itself, and reloads the server then.
    """
    settings_text = render("oauth_server/server.yaml.j2", data=data, store=store)
    clients_text = render("oauth_server/clients.json.j2", clients=_entries(clients))
    users_text = None
    if users is not None:
        entries = [user.model_dump(mode="json", exclude_defaults=True) for user in users]
        users_text = render("oauth_server/users.json.j2", users=entries)
    preview.check(host.name, settings_text, clients_text, users_text)
    release = build(target, tokens=data.pkcs11 is not None)
    new_release = f"{target.python.path} -I -S {RELEASES}/{release.digest}"

    unpacked = release_present(
        name="Unpack the release [SRV-01]", release=release, python=target.python.path
    )
    registered = managed_file(
        name="Write clients.json [SRV-02]",
        path=_CLIENTS,
        content=clients_text,
        group="oauth_group",
        mode="0640",
        # Beside the users whom the host keeps: no client may have the name of one.
        check=f'{new_release} check --clients "$candidate"'
        + (f" --users {_USERS}" if users_text is None else ""),
        mask="sha256:[0-9a-f]{64}",
    )
    known = []
    if users_text is not None:
        written = managed_file(
            name="Write users.json [SRV-07]",
            path=_USERS,
            content=users_text,
            group="oauth_group",
            mode="0640",
            check=f'{new_release} check --users "$candidate" --clients {_CLIENTS}',
            mask=r'\$argon2id\$[^"]+',
        )
        known.append(written)
    pin = _pin(data.pkcs11) if data.pkcs11 else None
    settings = managed_file(
        name="Write server.yaml [SRV-02]",
        path=_SETTINGS,
        content=settings_text,
        group="oauth_group",
        mode="0640",
        # Beside the keys that are there: a server that cannot use them does not start.
        check=f"keys=; test ! -e {KEYS}/ring/active || keys='--keys {KEYS}'; "
        f'{new_release} check --config "$candidate" $keys',
    )
    switched = release_current(name="Switch to the release [SRV-01]", release=release)
    managed_file(
        name="Write /usr/local/bin/oauth-server [SRV-01]",
        path="/usr/local/bin/oauth-server",
        content=render("oauth_server/oauth-server.j2", python=target.python.path, current=CURRENT),
        mode="0755",
        check='sh -n "$candidate"',
    )
    directories(
        name="Make the key directory [KEY-01]",
        wanted=[Directory(KEYS, "oauth_user", "oauth_group", "0711")],
    )
    key_ring(
        name="Make signing keys where there are none [KEY-02]",
        joining=others is not None and host.name in others.joining,
    )
    fleet = []
    if others is not None:
        identity(name="Make the host's identity [KEY-09]")
        # All hosts have made theirs before the first one is asked.
        fleet.append(fleet_file(name="Write fleet.json [KEY-09]", others=others))
    owned_file(
        name="Make the log [LOG-01]",
        path=_LOG,
        user="oauth_user",
        group="oauth_group",
        mode="0640",
    )
    socket = managed_file(
        name="Write oauth-server.socket [SRV-04]",
        path=f"{_UNITS}/oauth-server.socket",
        content=render("oauth_server/oauth-server.socket.j2", gateway_user=gateway_user),
        check=_VERIFY_SOCKET,
    )
    metrics = managed_file(
        name="Write oauth-server-metrics.socket [SRV-08]",
        path=f"{_UNITS}/oauth-server-metrics.socket",
        content=render("oauth_server/oauth-server-metrics.socket.j2"),
        check=_VERIFY_SOCKET,
    )
    runs_with = {
        "python": target.python.path,
        "current": CURRENT,
        "redis_unit": redis_unit,
        "systemd": target.platform.systemd,
        "pkcs11": data.pkcs11,
        "store_address": store.address if store else None,
    }
    unit = managed_file(
        name="Write oauth-server.service [SRV-03]",
        path=f"{_UNITS}/oauth-server.service",
        content=render("oauth_server/oauth-server.service.j2", **runs_with),
        check=VERIFY,
    )
    rotation = managed_file(
        name="Write oauth-key-rotate.service [KEY-04]",
        path=f"{_UNITS}/oauth-key-rotate.service",
        content=render("oauth_server/oauth-key-rotate.service.j2", **runs_with),
        check=VERIFY,
    )
    timer = managed_file(
        name="Write oauth-key-rotate.timer [KEY-04]",
        path=f"{_UNITS}/oauth-key-rotate.timer",
        content=render("oauth_server/oauth-key-rotate.timer.j2"),
        check=_VERIFY_TIMER,
    )
    running(
        name="Listen for the server [SRV-04]",
        service="oauth-server.socket",
        feeds=[f"{_UNITS}/oauth-server.socket"],
        after=(socket,),
    )
    running(
        name="Listen for who collects metrics [SRV-08]",
        service="oauth-server-metrics.socket",
        feeds=[f"{_UNITS}/oauth-server-metrics.socket"],
        after=(metrics,),
    )
    running(
        name="Run the server [SRV-03]",
        service="oauth-server.service",
        feeds=[
            f"{_UNITS}/oauth-server.service",
            f"{_UNITS}/oauth-server.socket",
            f"{_UNITS}/oauth-server-metrics.socket",
            f"{CURRENT}/SHA256SUMS",
            "/etc/oauth2/redis.password",
            # systemd hands a credential over at a start alone.
            *([_PIN] if data.pkcs11 else ()),
            *([store.ca_file] if store else ()),
        ],
        after=(*password, unpacked, switched, socket, metrics, unit, *([pin] if pin else ())),
        reloaded=[
            *(_SETTINGS, _CLIENTS, _USERS),
            *(() if renewed_there else (_CERTIFICATE,)),
            *([FLEET] if others else ()),
        ],
        reload_after=(*certificate, registered, *known, settings, *fleet),
    )
    running(
        name="Rotate keys when they are due [KEY-04]",
        service="oauth-key-rotate.timer",
        feeds=[f"{_UNITS}/oauth-key-rotate.timer", f"{_UNITS}/oauth-key-rotate.service"],
        after=(rotation, timer),
    )
    # After the server runs: until then the release before this one is the way back.
    old_releases_pruned(
        name="Remove releases beyond those kept [SRV-01]", release=release, kept=data.releases_kept
    )


def _pin(token: Pkcs11Data) -> OperationMeta:
    """The file from which systemd hands the PIN to the units that need it."""
    wanted = f"{host.name}: oauth_server.pkcs11.pin"
    pin = token.pin.read(wanted).unmask()
    if not pin.isprintable():
        raise DeployError(f"{wanted}: {token.pin} must hold one line of printable text")
    return managed_file(
        name="Write the token's PIN [KEY-08]",
        path=_PIN,
        content=HiddenValue(f"{pin}\n"),
        mode="0600",
    )


def _entries(clients: tuple[ClientData, ...]) -> list[dict[str, object]]:
    """The clients as they stand in clients.json: with the hash of a secret, never the secret."""
    entries = []
    for number, client in enumerate(clients):
        entry = client.model_dump(mode="json", exclude_none=True, exclude={"client_secret"})
        if client.client_secret is not None:
            wanted = f"{host.name}: clients[{number}].client_secret"
            secret = client.client_secret.read(wanted).unmask()
            entry["client_secret_hash"] = f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
        entries.append(entry)
    return entries
