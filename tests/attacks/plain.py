"""A plain Debian host to compare with: nginx with Debian's own settings, TLS on both ports."""

from __future__ import annotations

from tests.deploy.running import quoted
from tests.lab.fixtures import RunningLab

_SITE = """
server {
  listen 443 ssl;
  listen 8443 ssl;
  ssl_certificate /etc/nginx/plain.pem;
  ssl_certificate_key /etc/nginx/plain.key;
  return 200 "plain";
}
"""
_SET_UP = f"""
apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install nginx-light > /dev/null &&
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=plain \
  -keyout /etc/nginx/plain.key -out /etc/nginx/plain.pem 2> /dev/null &&
echo '{_SITE}' > /etc/nginx/sites-enabled/default && systemctl restart nginx
"""

REQUEST = b"GET / HTTP/1.1\r\nHost: plain\r\n\r\n"


def set_up(lab: RunningLab) -> None:
    done = lab.ssh(f"sudo sh -c {quoted(_SET_UP)}")
    assert done.returncode == 0, done.stdout + done.stderr
