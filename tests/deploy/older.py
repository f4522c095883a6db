"""Makes a host into one that an early deploy of ours left: fixtures/older says of which time."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.lab.fixtures import RunningLab

_FIXTURE = Path(__file__).parent / "fixtures" / "older"
_PACKAGES = (
    "chrony fail2ban iproute2 logrotate nftables nginx-light openssl procps python3 "
    "python3-systemd redis-server"
)
_PASSWORD = "5ed0" * 16
_ACCOUNT = "oauth_user:oauth_group"
_KEYS = "/etc/oauth2/keys"
_RELEASE = "/opt/oauth-server/releases"

# What that deploy did beside its files.
_PREPARE = f"""\
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends {_PACKAGES} > /dev/null
groupadd -r oauth_group
useradd -r -M -d /nonexistent -g oauth_group -s /usr/sbin/nologin oauth_user
install -d -o oauth_user -g oauth_group /nonexistent
tar -C / -xpf -
install -d -o oauth_user -g oauth_group -m 750 /var/lib/oauth-server
cd /etc/oauth2/certs/pair-early
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=early \
  -keyout server.key -out server.pem 2> /dev/null
chown {_ACCOUNT} server.key server.pem
install -o oauth_user -g oauth_group -m 640 /dev/null /var/log/oauth_server.log
systemctl daemon-reload
systemctl restart redis-server chrony nginx fail2ban
systemctl enable --quiet oauth-server.socket oauth-server.service
systemctl start oauth-server.socket oauth-server.service
REDISCLI_AUTH={_PASSWORD} redis-cli -s /run/redis/redis.sock --user oauth_server --no-auth-warning \
  set oauth:early kept > /dev/null
"""  # noqa: S608 - no SQL
# It answers nothing: it stands for the release of that time.
_PROGRAM = """\
import os, signal, socket
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""


@dataclass(frozen=True)
class Early:
    """What has to be there still: the key's id and PEM, the password, the digest of the release."""

    kid: str
    private_key: str
    password: str
    release: str


def place(lab: RunningLab, host: int) -> Early:
    """Prepare a host that nothing was deployed to."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    program = hashlib.sha256(_PROGRAM.encode()).hexdigest()
    sums = f"{program}  __main__.py\n"
    early = Early(
        kid=_thumbprint(key.public_key()),
        private_key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        password=_PASSWORD,
        release=hashlib.sha256(sums.encode()).hexdigest(),
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for entry, text in (*_made(early, key, sums), *_kept()):
            tar.addfile(entry, io.BytesIO(text.encode()))
    argv = ["ssh", "-F", str(lab.ssh_config), lab.hosts[host].name]
    argv += [f"sudo sh -c {quote(_PREPARE)}"]
    subprocess.run(argv, input=archive.getvalue(), check=True)
    return early


def _kept() -> Iterator[tuple[tarfile.TarInfo, str]]:
    digest = hashlib.sha256(_PASSWORD.encode()).hexdigest()
    for line in (_FIXTURE / "manifest.txt").read_text().splitlines():
        mode, owner, path = line.split(" ")
        text = (_FIXTURE / "files" / path.lstrip("/")).read_text()
        yield _entry(path, text.replace("@password_sha256@", digest), owner, mode)


def _made(early: Early, key: rsa.RSAPrivateKey, sums: str) -> Iterator[tuple[tarfile.TarInfo, str]]:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    ring, pair, certs = f"{_KEYS}/ring/{early.kid}", "pair-early", "/etc/oauth2/certs"
    for path, owner, mode in (
        ("/etc/oauth2", "root:oauth_group", "0750"),
        *((path, _ACCOUNT, "0711") for path in (_KEYS, f"{_KEYS}/ring", ring)),
        *((path, _ACCOUNT, "0750") for path in (certs, f"{certs}/{pair}")),
        *((p, "root:root", "0755") for p in (_RELEASE, f"{_RELEASE}/{early.release}")),
        ("/etc/redis", "root:redis", "2750"),
    ):
        yield _entry(path, "", owner, mode, tarfile.DIRTYPE)
    yield _entry(f"{ring}/private.pem", early.private_key, _ACCOUNT, "0600")
    yield _entry(f"{ring}/public.pem", public.decode(), _ACCOUNT, "0644")
    yield _entry("/etc/oauth2/redis.password", early.password, "root:oauth_group", "0640")
    yield _entry(f"{_RELEASE}/{early.release}/__main__.py", _PROGRAM, "root:root", "0644")
    yield _entry(f"{_RELEASE}/{early.release}/SHA256SUMS", sums, "root:root", "0644")
    for path, target in (
        (f"{_KEYS}/ring/active", early.kid),
        (f"{_KEYS}/private_key.pem", "ring/active/private.pem"),
        (f"{_KEYS}/public_key.pem", "ring/active/public.pem"),
        (f"{certs}/active", pair),
        (f"{certs}/server.pem", "active/server.pem"),
        (f"{certs}/server.key", "active/server.key"),
        ("/opt/oauth-server/current", f"releases/{early.release}"),
    ):
        yield _entry(path, target, _ACCOUNT, "0777", tarfile.SYMTYPE)


def _entry(
    path: str, text: str, owner: str, mode: str, kind: bytes = tarfile.REGTYPE
) -> tuple[tarfile.TarInfo, str]:
    """An entry of the archive and its content; a link's text is where it leads."""
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = kind, int(mode, 8)
    entry.uname, _, entry.gname = owner.partition(":")
    if kind == tarfile.SYMTYPE:
        entry.linkname, text = text, ""
    entry.size = len(text.encode())
    return entry, text


def _thumbprint(key: rsa.RSAPublicKey) -> str:
    """RFC 7638."""
    numbers = key.public_numbers()
    e, n = (_base64url(value) for value in (numbers.e, numbers.n))
    return _encoded(hashlib.sha256(f'{{"e":"{e}","kty":"RSA","n":"{n}"}}'.encode()).digest())


def _base64url(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
