from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oauth_server import __version__, cli, passwords
from oauth_server.fleet import identity
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from oauth_server.protocol import client_secret
from tests.unit.oauth_server.test_clients import confidential
from tests.unit.oauth_server.test_clients import write as write_clients
from tests.unit.oauth_server.test_settings import ISSUER
from tests.unit.oauth_server.test_settings import write as write_settings

APP = Path(cli.__file__).parents[2]
Output = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def write_certificate(directory: Path) -> str:
    """The settings that name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "server.key").write_bytes(pem)
    (directory / "server.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    return f"certificate: {directory}/server.pem\ncertificate_key: {directory}/server.key\n"


def test_check_says_ok_in_a_line_a_file(tmp_path: Path, capsys: Output) -> None:
    config = write_settings(tmp_path, ISSUER)
    registered = write_clients(tmp_path, {"clients": [confidential()]})
    assert run("check", "--config", config, "--clients", registered) == 0
    assert capsys.readouterr() == (f"{config}: OK\n{registered}: OK, 1 client\n", "")


def test_check_names_the_faults_of_both_files(tmp_path: Path, capsys: Output) -> None:
    config = write_settings(tmp_path, ISSUER + "log_file: x")
    registered = write_clients(tmp_path, {"clients": [confidential(scope="")]})
    assert run("check", "--config", config, "--clients", registered) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"oauth-server: {config}: log_file: must be an absolute path\n"
        f"oauth-server: {registered}: clients[0].scope: "
        "must be scopes with one space between them (RFC 6749 §3.3)\n"
    )


def test_check_judges_the_file_that_is_named_alone(tmp_path: Path, capsys: Output) -> None:
    """A candidate is checked before the other file is there."""
    missing = f"clients_file: {tmp_path}/none\n"
    config = write_settings(tmp_path, ISSUER + missing)
    registered = write_clients(tmp_path, {"clients": []})
    assert run("check", "--config", config) == 0
    assert run("check", "--clients", registered) == 0
    assert capsys.readouterr().err == ""


def test_check_judges_a_fleet_before_a_server_has_to_start_with_it(
    tmp_path: Path, capsys: Output
) -> None:
    """A host that was broken into says that it is another one."""
    known_by = identity.text(PrivateKey.generate(Algorithm.EDDSA).public)
    members = [{"host": "auth-1", "identity": known_by}]
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps({"host": "auth-1", "members": members}))
    assert run("check", "--fleet", file) == 0
    assert capsys.readouterr() == (f"{file}: OK, auth-1 and 0 other hosts\n", "")
    members.append({"host": "auth-2", "identity": known_by})
    file.write_text(json.dumps({"host": "auth-1", "members": members}))
    assert run("check", "--fleet", file) == 1
    assert "members[1].identity: belongs to an earlier member already" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--config", "--clients", "--users", "--fleet"])
def test_check_waits_for_no_pipe(tmp_path: Path, capsys: Output, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert run("check", option, tmp_path / "pipe") == 1
    assert capsys.readouterr() == ("", f"oauth-server: {tmp_path}/pipe: is not a regular file\n")


def test_check_without_a_name_judges_all_of_the_running_server(
    tmp_path: Path, ring_directory: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = write_clients(tmp_path, {"clients": []})
    people = tmp_path / "users.json"
    pair = write_certificate(tmp_path)
    settings = f"{ISSUER}clients_file: {registered}\nusers_file: {people}\n{pair}"
    config = write_settings(tmp_path, f"{settings}keys_directory: {ring_directory}\n")
    monkeypatch.setattr("oauth_server.settings.DEFAULT_PATH", config)
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    assert run("check") == 0
    kid = (ring_directory / "ring/active").readlink()
    assert capsys.readouterr().out == (
        f"{config}: OK\n{ring_directory}: OK, {kid} signs with RS256\n"
        f"{tmp_path}/server.pem: OK, expires on {tomorrow:%Y-%m-%d}\n"
        f"{registered}: OK, 0 clients\n{people}: OK, 0 users\n"
    )
    config.write_text(config.read_text().replace("auth.example.com", "auth.example.org"))
    assert run("check") == 0, "the server starts with it all the same"
    fault = "is not a certificate of auth.example.org, the issuer's host (RFC 9525 §6)"
    assert f"{tmp_path}/server.pem: {fault}\n" in capsys.readouterr().out
    people.write_text("{}")
    (tmp_path / "server.key").write_text("")
    assert run("check") == 1
    of_certificate, of_users = capsys.readouterr().err.splitlines()
    unfit = f"{tmp_path}/server.pem with {tmp_path}/server.key: cannot be used for TLS"
    assert of_certificate.startswith(f"oauth-server: {unfit}: ")
    assert of_users == f'oauth-server: {people}: must be {{"users": [ … ]}}'


def test_check_says_that_a_rotation_will_change_the_algorithm(
    tmp_path: Path, ring_directory: Path, capsys: Output
) -> None:
    config = write_settings(tmp_path, ISSUER + "signing:\n  algorithm: ES256\n")
    assert run("check", "--config", config) == 0
    assert run("check", "--config", config, "--keys", ring_directory) == 0
    assert "signs with RS256; a rotation changes to ES256\n" in capsys.readouterr().out
    assert run("check", "--keys", ring_directory) == 1


def test_the_first_key_is_for_the_settings_algorithm(tmp_path: Path, capsys: Output) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o711)
    settings = f"{ISSUER}keys_directory: {keys}\nsigning:\n  algorithm: EdDSA\n"
    config = write_settings(tmp_path, settings)
    assert run("keys", "init", "--config", config) == 0
    assert run("check", "--config", config, "--keys", keys) == 0
    assert capsys.readouterr().out.endswith("signs with EdDSA\n")


def test_check_finds_a_user_with_a_clients_name(tmp_path: Path, capsys: Output) -> None:
    """Both would be the same `sub` (RFC 9700 §4.15)."""
    client = confidential(client_id="ada")
    registered = write_clients(tmp_path, {"clients": [client]})
    people = tmp_path / "users.json"
    user = {"username": "ada", "password_hash": passwords.make_hash("correct horse battery")}
    people.write_text(json.dumps({"users": [user]}))
    assert run("check", "--users", people) == 0
    assert run("check", "--users", people, "--clients", registered) == 1
    assert capsys.readouterr().err == (
        f"oauth-server: {people}: ada: is a client_id, too; a username must not be one\n"
    )


def test_a_secret_is_shown_with_its_hash(capsys: Output) -> None:
    assert run("clients", "secret") == 0
    shown = re.fullmatch(
        r"client_secret: ([\w-]{43})\nclient_secret_hash: sha256:([0-9a-f]{64})\n",
        capsys.readouterr().out,
    )
    assert shown is not None
    assert hashlib.sha256(shown[1].encode()).hexdigest() == shown[2]
    assert client_secret.verifies(shown[1], f"sha256:{shown[2]}")


def test_keys_are_made_where_the_settings_say(tmp_path: Path, capsys: Output) -> None:
    config = write_settings(tmp_path, ISSUER + f"keys_directory: {tmp_path}/keys")
    assert run("keys", "init", "--config", config) == 0
    kid = capsys.readouterr().out.strip()
    assert (tmp_path / "keys" / "ring" / "active").readlink() == Path(kid)
    assert run("keys", "init", "--dir", tmp_path / "keys") == 0
    assert capsys.readouterr().out.strip() == kid


def test_serving_without_sockets_says_what_is_missing(tmp_path: Path, capsys: Output) -> None:
    assert run("serve", "--config", write_settings(tmp_path, ISSUER)) == 1
    assert capsys.readouterr().err == (
        "oauth-server: no sockets were passed: start it with oauth-server.socket, "
        "or try it with `oauth-server serve --dev`\n"
    )


def test_a_port_is_for_development(capsys: Output) -> None:
    assert run("serve", "--port", "8443") == 1
    assert "--port goes with --dev" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["serve", "--por", "1"], ["keys"]],
)
def test_a_wrong_usage_is_exit_code_2(arguments: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as left:
        run(*arguments)
    assert left.value.code == 2
    assert "usage: oauth-server" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["abc", "65536", "-1", "", "1.0", "9" * 5000])
def test_a_port_that_is_none_is_refused_with_the_rule(port: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as left:
        run("serve", "--dev", f"--port={port}")
    assert left.value.code == 2
    assert "argument --port: must be from 0 to 65535\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--config"], ["check", "--config"], ["check", "--clients"],
     ["check", "--users"], ["keys", "init", "--config"], ["keys", "init", "--dir"]],
)  # fmt: skip
def test_an_empty_path_is_not_the_current_directory(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        run(*arguments, "")
    assert left.value.code == 2
    assert f"argument {arguments[-1]}: must not be empty\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink", ["full disk", "closed pipe"])
@pytest.mark.parametrize(
    "arguments",
    [["check", "--config", "server.yaml"], ["check", "--clients", "clients.json"],
     ["clients", "secret"], ["keys", "init", "--dir", "."], ["serve", "--dev", "--port", "0"]],
)  # fmt: skip
def test_output_that_nobody_can_have_is_an_error_in_a_line(
    arguments: list[str], sink: str, ring_directory: Path
) -> None:
    write_settings(ring_directory, ISSUER)
    write_clients(ring_directory, {"clients": []})
    if sink == "full disk":
        output, why = os.open("/dev/full", os.O_WRONLY), "No space left on device"
    else:
        reader, output = os.pipe()
        os.close(reader)
        why = "Broken pipe"
    done = subprocess.run(
        [sys.executable, "-m", "oauth_server", *arguments], cwd=ring_directory, text=True,
        env={**os.environ, "PYTHONPATH": str(APP)}, stdout=output, stderr=subprocess.PIPE,
        timeout=60,
    )  # fmt: skip
    os.close(output)
    assert (done.returncode, done.stderr) == (1, f"oauth-server: standard output: {why}\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["serve"], ["check"], ["clients"], ["clients", "secret"], ["keys"], ["keys", "init"]],
)
def test_every_command_explains_itself(arguments: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as left:
        run(*arguments, "--help")
    assert left.value.code == 0
    assert "usage: oauth-server" in capsys.readouterr().out


def test_the_version_is_told(capsys: Output) -> None:
    with pytest.raises(SystemExit):
        run("--version")
    assert capsys.readouterr().out == f"oauth-server {__version__}\n"
