"""A real ACME server on a lab host: Pebble, Let's Encrypt's own for tests, from Debian.

It listens on the host's loopback alone and asks for challenges on the host's port 80.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.running import quoted
from tests.lab.fixtures import RunningLab

URL = "https://127.0.0.1:14000/dir"

_CONFIG = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/srv/pebble/cert.pem",
        "privateKey": "/srv/pebble/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "certificateValidityPeriod": 90 * 86400,
    }
}
_START = """\
set -eu
exec > /dev/null 2> /srv/pebble.log
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install --yes --no-install-recommends pebble
grep -q ' {name}$' /etc/hosts || echo "{address} {name}" >> /etc/hosts
mkdir -p /srv/pebble
cd /srv/pebble
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem \\
  -out cert.pem -days 30 -subj /CN=pebble -addext subjectAltName=IP:127.0.0.1
echo '{config}' > config.json
systemd-run --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_WFE_NONCEREJECT=0 \\
  pebble -config /srv/pebble/config.json
"""
_ROOT = """\
import ssl, time, urllib.request
for _ in range(100):
    try:
        context = ssl.create_default_context(cafile="/srv/pebble/cert.pem")
        url = "https://127.0.0.1:15000/roots/0"
        print(urllib.request.urlopen(url, context=context).read().decode())
        break
    except OSError:
        time.sleep(0.1)
"""


@dataclass(frozen=True)
class AcmeServer:
    """`trusted_by` is what the server itself is trusted by, `root` is what its certificates are."""

    url: str
    trusted_by: Path
    root: Path


def started(lab: RunningLab, name: str, directory: Path) -> AcmeServer:
    """On the lab's first host, which gets `name`; the files go to `directory`."""
    script = _START.format(name=name, address=lab.hosts[0].address, config=json.dumps(_CONFIG))
    done = lab.ssh(f"sudo sh -c {quoted(script)}")
    assert done.returncode == 0, lab.ssh("sudo cat /srv/pebble.log").stdout
    trusted_by, root = directory / "acme-server.pem", directory / "acme-root.pem"
    trusted_by.write_text(lab.ssh("cat /srv/pebble/cert.pem").stdout)
    root.write_text(lab.ssh(f"python3 -c {quoted(_ROOT)}").stdout)
    assert "BEGIN CERTIFICATE" in root.read_text()
    return AcmeServer(URL, trusted_by, root)
