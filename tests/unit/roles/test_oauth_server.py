"""The server's role: which files, in which order, and what runs with them."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from roles.errors import DeployError
from roles.gateway.layout import LAYOUTS as GATEWAY
from roles.hostdata.clients import ClientData, UserData
from roles.hostdata.server import OAuthServerData
from roles.oauth_server import tasks
from roles.oauth_server.fleet import Others
from roles.oauth_server.release import Release
from roles.platform import Platform
from roles.redis.layout import LAYOUTS as REDIS
from roles.topology import Member
from tests.unit.roles.fakehost import FakeHost, Run
from tests.unit.roles.hostdata.inventory import TOKEN

DATA = OAuthServerData(issuer="https://auth.example.net", trusted_proxies=("10.0.0.0/8",))
DIGEST = "d" * 64
CLIENT = {
    "client_id": "gateway_01",
    "grant_types": ["client_credentials"],
    "scope": "telemetry:read",
    "token_endpoint_auth_method": "client_secret_basic",
}


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A release is not what is tested here; building one takes seconds."""
    archive = tmp_path / f"{DIGEST}.tar.gz"
    archive.write_bytes(b"")
    monkeypatch.setattr(tasks, "build", lambda *_, **__: Release(DIGEST, archive))


def deploy(
    host: FakeHost,
    clients: tuple[ClientData, ...] = (),
    data: OAuthServerData = DATA,
    users: tuple[UserData, ...] | None = None,
) -> Run:
    gateway, redis = GATEWAY[host.platform].user, REDIS[host.platform].service
    return host.run(tasks.oauth_server, data, clients, users, host.target, gateway, redis)


def deployed(platform: Platform, **client: Any) -> FakeHost:
    host = FakeHost(platform, responses=INSTALLED)
    clients = (ClientData.model_validate({**CLIENT, "client_secret_hash": HASH, **client}),)
    deploy(host, clients)
    return host


HASH = "sha256:" + "a" * 64
PASSWORD_HASH = f"$argon2id$v=19$m=65536,t=3,p=4${'b' * 21}A${'c' * 42}A"
USERS = (
    UserData(username="ada", password_hash=PASSWORD_HASH),
    UserData(username="grace", password_hash=PASSWORD_HASH, disabled=True),
)
NOTHING: list[str] = []
OTHERS = ("oauth-server.socket", "oauth-server-metrics.socket", "oauth-key-rotate.timer")
INSTALLED: dict[str | re.Pattern[str], Any] = {
    "readlink /opt/oauth-server/current": [f"releases/{DIGEST}", DIGEST],
    f"cd /opt/oauth-server/releases/{DIGEST}": "whole",
    "cd /etc/oauth2/keys": [f"oauth_user {mode}" for mode in (711, 711, 644, 644, 644, 600, 600)],
}


@pytest.mark.parametrize("platform", Platform)
def test_settings_and_clients_are_roots_and_readable_by_the_group(platform: Platform) -> None:
    host = deployed(platform)
    for path in ("/etc/oauth2/server.yaml", "/etc/oauth2/clients.json"):
        file = host.files[path]
        assert (file.user, file.group, file.mode) == ("root", "oauth_group", "0640")
    settings = yaml.safe_load(host.files["/etc/oauth2/server.yaml"].content)
    assert settings["issuer"] == "https://auth.example.net"
    assert settings["trusted_proxies"] == ["10.0.0.0/8"]
    clients = json.loads(host.files["/etc/oauth2/clients.json"].content)["clients"]
    assert clients == [{**CLIENT, "redirect_uris": [], "client_secret_hash": HASH}]


@pytest.mark.parametrize(
    ("platform", "python", "user", "redis"),
    [
        (Platform.DEBIAN_12, "3.11", "www-data", "redis-server.service"),
        (Platform.UBUNTU_22_04, "3.10", "www-data", "redis-server.service"),
        (Platform.UBUNTU_24_04, "3.12", "www-data", "redis-server.service"),
        (Platform.EL_9, "3.11", "nginx", "redis.service"),
    ],
)
def test_units_name_the_platforms_interpreter_gateway_and_redis(
    platform: Platform, python: str, user: str, redis: str
) -> None:
    host = deployed(platform)
    unit = host.files["/etc/systemd/system/oauth-server.service"].content
    assert f"ExecStart=/usr/bin/python{python} -I -S /opt/oauth-server/current serve\n" in unit
    assert redis in unit
    socket = host.files["/etc/systemd/system/oauth-server.socket"].content
    assert f"SocketUser={user}\nSocketMode=0600\n" in socket
    assert f"/usr/bin/python{python} " in host.files["/usr/local/bin/oauth-server"].content


def test_candidates_are_checked_by_the_new_release_before_the_switch_to_it() -> None:
    host = FakeHost(Platform.DEBIAN_12)
    changed = deploy(host).changed
    for path in ("/etc/oauth2/server.yaml", "/etc/oauth2/clients.json"):
        assert f"/opt/oauth-server/releases/{DIGEST} check" in host.files[path].script
    order = [name.partition(" | ")[2].partition(" [")[0] for name in changed]
    assert order.index("Unpack the release") < order.index("Write server.yaml")
    assert order.index("Write server.yaml") < order.index("Switch to the release")
    assert order.index("Make signing keys where there are none") < order.index("Run the server")


def test_what_hosts_say_of_themselves_is_checked_before_any_server_gets_it() -> None:
    """One that was broken into may say that it is another, or what is no key."""
    said = json.dumps({"identity": "any", "as_of": 1, "keys": []})
    host = FakeHost(
        Platform.DEBIAN_12, responses={**INSTALLED, re.compile(r"keys announcement"): said}
    )
    others = Others((Member(host.name, "10.0.0.1"),), "/etc/oauth2/ca.pem", frozenset())
    gateway, redis = GATEWAY[host.platform].user, REDIS[host.platform].service
    host.run(
        partial(tasks.oauth_server, others=others), DATA, (), None, host.target, gateway, redis
    )
    file = host.files["/etc/oauth2/fleet.json"]
    assert '/usr/local/bin/oauth-server check --fleet "$candidate"' in file.script


def test_users_of_the_inventory_are_in_a_file_that_belongs_to_the_deploy() -> None:
    host = FakeHost(Platform.DEBIAN_12, responses=INSTALLED)
    deploy(host, users=USERS)
    file = host.files["/etc/oauth2/users.json"]
    assert (file.user, file.group, file.mode) == ("root", "oauth_group", "0640")
    assert 'check --users "$candidate" --clients /etc/oauth2/clients.json' in file.script
    assert json.loads(file.content) == {
        "managed_by": "deploy",
        "users": [
            {"username": "ada", "password_hash": PASSWORD_HASH},
            {"username": "grace", "password_hash": PASSWORD_HASH, "disabled": True},
        ],
    }


def test_without_users_in_the_inventory_the_file_is_the_command_lines() -> None:
    """A client is then held against the users whom the host has."""
    host = deployed(Platform.DEBIAN_12)
    assert "/etc/oauth2/users.json" not in host.files
    script = host.files["/etc/oauth2/clients.json"].script
    assert 'check --clients "$candidate" --users /etc/oauth2/users.json' in script


def test_an_inventory_may_say_that_there_is_nobody() -> None:
    host = FakeHost(Platform.DEBIAN_12, responses=INSTALLED)
    deploy(host, users=())
    content = json.loads(host.files["/etc/oauth2/users.json"].content)
    assert content == {"managed_by": "deploy", "users": []}


def test_a_diff_shows_no_hash_of_a_password(caplog: pytest.LogCaptureFixture) -> None:
    host = FakeHost(Platform.DEBIAN_12, responses=INSTALLED, diff=True)
    with caplog.at_level("INFO", logger="pyinfra"):
        deploy(host, users=USERS)
    assert "grace" in caplog.text
    assert "argon2id" not in caplog.text


def test_what_the_server_would_refuse_of_a_user_is_refused_here_first() -> None:
    """The last digit of a tag has two bits too many, which must be zero."""
    host = FakeHost(Platform.DEBIAN_12)
    wrong = UserData(username="ada", password_hash=PASSWORD_HASH.removesuffix("A") + "B")
    with pytest.raises(DeployError) as refused:
        deploy(host, users=(wrong,))
    assert "@fake/host: users.json: users[0].password_hash: must be Argon2id" in str(refused.value)
    assert wrong.password_hash not in str(refused.value)
    assert host.files == {}


def test_a_secret_by_reference_reaches_the_host_as_its_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "the secret itself")
    host = FakeHost(Platform.DEBIAN_12)
    clients = (ClientData.model_validate({**CLIENT, "client_secret": {"env": "GATEWAY_SECRET"}}),)
    run = deploy(host, clients)
    (entry,) = json.loads(host.files["/etc/oauth2/clients.json"].content)["clients"]
    digest = hashlib.sha256(b"the secret itself").hexdigest()
    assert entry["client_secret_hash"] == f"sha256:{digest}"
    assert "client_secret" not in entry
    assert "the secret itself" not in run.text() + "".join(c.stdin for c in run.commands)


def deploy_again(host: FakeHost, data: OAuthServerData = DATA, **client: Any) -> None:
    host.units = {unit: [] for unit in host.units}
    entry = ClientData.model_validate({**CLIENT, "client_secret_hash": HASH, **client})
    deploy(host, (entry,), data)


def test_a_changed_setting_or_client_reloads_the_server_and_nothing_else() -> None:
    host = deployed(Platform.DEBIAN_12)
    reloaded = {**dict.fromkeys(OTHERS, NOTHING), "oauth-server.service": ["reload"]}
    deploy_again(host, DATA.model_copy(update={"access_token_lifetime": 900}))
    assert host.units == reloaded
    deploy_again(
        host, DATA.model_copy(update={"access_token_lifetime": 900}), client_name="Gateway"
    )
    assert host.units == reloaded


def test_a_new_certificate_or_list_of_users_reloads_the_server_and_a_release_restarts_it() -> None:
    host = deployed(Platform.DEBIAN_12)
    command = next(
        text for text in host.arguments if "systemctl restart oauth-server.service" in text
    )
    started, live = re.findall(r"sha256sum -- (.*?) < /dev/null", command)
    assert "/etc/oauth2/certs/server.pem" in live
    assert "/etc/oauth2/users.json" in live
    assert "/opt/oauth-server/current/SHA256SUMS" in started
    assert "/etc/oauth2/redis.password" in started


def test_metrics_are_for_loopback_alone() -> None:
    host = deployed(Platform.DEBIAN_12)
    socket = host.files["/etc/systemd/system/oauth-server-metrics.socket"].content
    assert re.findall("^Listen.*", socket, re.MULTILINE) == ["ListenStream=127.0.0.1:9464"]
    assert "FileDescriptorName=metrics\n" in socket


def test_a_reload_is_checked_before_the_server_hears_of_it() -> None:
    unit = deployed(Platform.DEBIAN_12).files["/etc/systemd/system/oauth-server.service"].content
    check, hang_up = re.findall("^ExecReload=(.*)$", unit, re.MULTILINE)
    assert check == "/usr/bin/python3.11 -I -S /opt/oauth-server/current check"
    assert "kill -HUP" in hang_up


def test_a_run_that_changes_nothing_touches_no_unit() -> None:
    host = deployed(Platform.DEBIAN_12)
    host.units = {unit: [] for unit in host.units}
    clients = (ClientData.model_validate({**CLIENT, "client_secret_hash": HASH}),)
    deploy(host, clients)
    assert host.units == {unit: [] for unit in (*OTHERS, "oauth-server.service")}


def test_old_releases_beyond_those_kept_go_and_the_current_one_stays() -> None:
    names = [f"{number:064x}" for number in range(5)]
    present = [f"releases/{DIGEST}", names[0], DIGEST, *names[1:]]
    host = FakeHost(Platform.DEBIAN_12, responses={"readlink /opt/oauth-server/current": present})
    text = deploy(host).text()
    removed = [line.split("/")[-1] for line in text.splitlines() if line.startswith("rm -rf")]
    assert removed == names[3:]


def test_a_release_that_was_damaged_is_unpacked_anew_and_the_server_restarted() -> None:
    host = deployed(Platform.DEBIAN_12)
    host.units = {unit: [] for unit in host.units}
    host.responses = {**INSTALLED, f"cd /opt/oauth-server/releases/{DIGEST}": []}
    clients = (ClientData.model_validate({**CLIENT, "client_secret_hash": HASH}),)
    changed = deploy(host, clients).changed
    assert any("Unpack the release" in name for name in changed)
    assert host.units["oauth-server.service"] == ["restart"]


def with_token(monkeypatch: pytest.MonkeyPatch, pin: str = "4711") -> FakeHost:
    source = f"TOKEN_PIN_{len(pin)}"  # a source is read once a run
    monkeypatch.setenv(source, pin)
    host = FakeHost(Platform.DEBIAN_12, responses=INSTALLED)
    token = {**TOKEN, "pin": {"env": source}}
    data = OAuthServerData.model_validate({"issuer": DATA.issuer, "pkcs11": token})
    deploy(host, data=data)
    return host


def test_the_pin_of_a_token_is_roots_and_handed_over_by_systemd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = with_token(monkeypatch)
    file = host.files["/etc/oauth2/pkcs11.pin"]
    assert (file.content, file.user, file.group, file.mode) == ("4711\n", "root", "root", "0600")
    for name in ("oauth-server", "oauth-key-rotate"):
        unit = host.files[f"/etc/systemd/system/{name}.service"].content
        assert "\nLoadCredential=pkcs11-pin:/etc/oauth2/pkcs11.pin\n" in unit
        assert "\nSupplementaryGroups=softhsm\n" in unit
        assert "\nReadWritePaths=/var/lib/softhsm/tokens\n" in unit
        assert "\nDevicePolicy=closed\nDeviceAllow=/dev/tpmrm0 rw\n" in unit
        assert "\nIPAddressAllow=10.0.0.9\n" in unit
    rotation = host.files["/etc/systemd/system/oauth-key-rotate.service"].content
    # As long as a token may take for two keys (pkcs11/source.py).
    assert "\nTimeoutStartSec=1500\n" in rotation
    settings = yaml.safe_load(host.files["/etc/oauth2/server.yaml"].content)["signing"]["pkcs11"]
    assert settings == {
        "module": TOKEN["module"], "token": "Keys: 1", "pin_file": "/etc/oauth2/pkcs11.pin",
        "groups": ["softhsm"], "environment": TOKEN["environment"],
    }  # fmt: skip


def test_a_host_without_a_token_has_nothing_of_it() -> None:
    host = deployed(Platform.DEBIAN_12)
    rotation = host.files["/etc/systemd/system/oauth-key-rotate.service"].content
    assert "\nTimeoutStartSec=300\n" in rotation
    assert "/etc/oauth2/pkcs11.pin" not in host.files
    assert "pkcs11" not in host.files["/etc/systemd/system/oauth-server.service"].content
    assert "pkcs11" not in host.files["/etc/oauth2/server.yaml"].content


def test_a_pin_of_two_lines_is_refused_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DeployError, match=r"oauth_server\.pkcs11\.pin: .*TOKEN_PIN_9 must hold one"
    ):
        with_token(monkeypatch, "4711\n4712")


def test_a_ring_whose_keys_are_on_a_token_is_whole() -> None:
    ring = [f"oauth_user {mode}" for mode in (711, 711, 644, 644, 644, 644)]
    host = FakeHost(Platform.DEBIAN_12, responses={**INSTALLED, "cd /etc/oauth2/keys": ring})
    assert "keys init" not in deploy(host).text()


@pytest.mark.parametrize("line", range(7))
def test_a_mode_in_the_ring_that_was_changed_is_put_back(line: int) -> None:
    ring = list(INSTALLED["cd /etc/oauth2/keys"])
    ring[line] = "oauth_user 777"
    host = FakeHost(Platform.DEBIAN_12, responses={**INSTALLED, "cd /etc/oauth2/keys": ring})
    assert "oauth-server keys init" in deploy(host).text()
    whole = FakeHost(Platform.DEBIAN_12, responses=INSTALLED)
    assert "keys init" not in deploy(whole).text()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"client_name": "a\nb"}, "clients.json: clients[0].client_name: must be printable"),
        (
            {"audience": ["a b"]},
            "clients.json: clients[0].audience[0]: must be ASCII without spaces",
        ),
        (
            {"redirect_uris": ["https://user:secret@a.test/"]},
            "clients.json: clients[0].redirect_uris[0]: ",
        ),
    ],
)
def test_what_the_server_would_refuse_is_refused_here_first(
    changed: dict[str, Any], line: str
) -> None:
    """Before any host was changed, and without the value, which may be a secret."""
    host = FakeHost(Platform.DEBIAN_12)
    clients = (ClientData.model_validate({**CLIENT, "client_secret_hash": HASH, **changed}),)
    with pytest.raises(DeployError) as refused:
        deploy(host, clients)
    (_, said) = str(refused.value).splitlines()
    assert said.startswith(f"@fake/host: {line}")
    assert "secret@" not in said
    assert host.files == {}


def test_a_secret_that_is_nowhere_names_host_and_client() -> None:
    source = {"client_secret": {"env": "PORTCULLIS_NO_SUCH_VARIABLE"}}
    clients = (ClientData.model_validate({**CLIENT, **source}),)
    line = r"@fake/host: clients\[0\]\.client_secret: environment variable PORTCULLIS_NO_SUCH"
    with pytest.raises(DeployError, match=line):
        deploy(FakeHost(Platform.DEBIAN_12), clients)
