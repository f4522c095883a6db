"""Hosts that are not as new: each is deployed as any other is, and then meets every control."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.deploy import older, running
from tests.deploy.older import Early
from tests.lab.fixtures import MakeLab, RunningLab

_OLDER, _TAKEN, _CLOSED = range(3)

# The names of the account are taken, ids and all. Temporary directories run no program, which
# apt-utils would like to, and SELinux' tools are there without SELinux.
_TAKE = """\
set -eu
export DEBIAN_FRONTEND=noninteractive
groupadd --gid 4712 oauth_group
useradd --uid 4711 --gid users --groups adm --create-home --shell /bin/bash oauth_user
install -d -o oauth_user -m 700 /home/oauth_user/.ssh
cp /home/deploy/.ssh/authorized_keys /home/oauth_user/.ssh/
chown oauth_user /home/oauth_user/.ssh/authorized_keys
echo oauth_user:a-password | chpasswd
apt-get -qq update
apt-get -qq install --yes --no-install-recommends apt-utils \\
  selinux-utils policycoreutils > /dev/null
! selinuxenabled
mount -t tmpfs -o noexec,nosuid,nodev tmpfs /var/tmp
mount -o remount,noexec,nosuid,nodev /tmp
"""
# Packages come through a proxy that wants a password; the host has a way out and may not use it:
# where it begins connections to is written down.
_CLOSE = """\
set -eu
umask 077
sed -i 's|http://|http://mirror:{password}@|' /etc/apt/apt.conf.d/90lab
chmod 600 /etc/apt/apt.conf.d/90lab
ip route add default via {gateway}
nft -f - <<'END'
table inet probe {{
  set elsewhere {{ type ipv4_addr . inet_proto . inet_service; flags dynamic; size 1000; }}
  chain begun {{
    type filter hook output priority 0;
    oifname "lo" accept
    tcp sport 22 accept
    ct state new update @elsewhere {{ ip daddr . meta l4proto . th dport }}
  }}
}}
END
"""
_PROXY_PASSWORD = "password-of-the-proxy"


@dataclass(frozen=True)
class Odd:
    """The hosts after one deploy, what it said, and what the older one had before."""

    lab: RunningLab
    said: str
    early: Early
    inventory: str


@pytest.fixture(scope="module")
def odd(make_lab: MakeLab, tmp_path_factory: pytest.TempPathFactory) -> Odd:
    lab = make_lab("debian-12", "debian-12", "debian-12")
    # The older host keeps its users itself, as it did when the command line made them.
    inventory = running.changed_inventory(
        tmp_path_factory.mktemp("inventory"),
        f"({{'users': None}} if name == {lab.hosts[_OLDER].name!r} else {{}})",
    )
    gateway = lab.hosts[0].address.rpartition(".")[0] + ".1"
    with ThreadPoolExecutor() as prepared:
        early = prepared.submit(older.place, lab, _OLDER)
        close = _CLOSE.format(password=_PROXY_PASSWORD, gateway=gateway)
        for host, script in ((_TAKEN, _TAKE), (_CLOSED, close)):
            prepared.submit(_as_root, lab, host, script).result()
    result = running.pyinfra(lab, "-y", "-vv", inventory=inventory)
    assert result.returncode == 0, result.stdout + result.stderr
    return Odd(lab, result.stdout + result.stderr, early.result(), inventory)


def _as_root(lab: RunningLab, host: int, script: str) -> str:
    argv = ["ssh", "-F", str(lab.ssh_config), lab.hosts[host].name, "sudo sh"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_meets_every_control_and_answers_with_a_token(odd: Odd) -> None:
    described = json.loads(odd.lab.lab_json.read_text())["confidential_client"]
    report = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/audit"),
            *(f"--hosts={','.join(host.name for host in odd.lab.hosts)}", "--sudo"),
            *(f"--ssh-config={odd.lab.ssh_config}", f"--probe-client={described['client_id']}"),
            f"--ca-file={odd.lab.directory / 'ca' / 'ca.pem'}",
        ],
        cwd=running.ROOT,
        env={**os.environ, "PROBE_CLIENT_SECRET": described["client_secret"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stdout
    assert running.hosts_that_meet_all(report.stdout) == 3, report.stdout


def test_a_second_run_changes_nothing_anywhere(odd: Odd) -> None:
    hosts = range(len(odd.lab.hosts))
    assert running.pending(odd.lab, inventory=odd.inventory) == []
    before = [running.state(odd.lab, host) for host in hosts]
    result = running.pyinfra(odd.lab, "-y", inventory=odd.inventory)
    assert result.returncode == 0, result.stderr
    assert [running.state(odd.lab, host) for host in hosts] == before


def test_keys_password_and_data_of_an_older_host_are_what_they_were(odd: Odd) -> None:
    early, ring = odd.early, "/etc/oauth2/keys/ring"
    # Its key signs, and beside it there is one that is pending; two, since its own is an old one.
    names = set(_as_root(odd.lab, _OLDER, f"ls {ring}").split())
    assert names > {early.kid, "active"}
    assert '"activated"' in _as_root(odd.lab, _OLDER, f"cat {ring}/active/times.json")
    assert _as_root(odd.lab, _OLDER, f"readlink {ring}/active") == f"{early.kid}\n"
    assert _as_root(odd.lab, _OLDER, "cat /etc/oauth2/keys/private_key.pem") == early.private_key
    assert _as_root(odd.lab, _OLDER, "cat /etc/oauth2/redis.password") == early.password
    asked = "redis-cli -s /run/redis/redis.sock --user oauth_server --no-auth-warning get"
    kept = _as_root(odd.lab, _OLDER, f"REDISCLI_AUTH={early.password} {asked} oauth:early")
    assert kept == "kept\n"


def test_nothing_of_an_older_host_is_active_any_more(odd: Odd) -> None:
    """Its release stays to go back to; no process runs it, and the account's home is gone."""
    new = _as_root(odd.lab, _OLDER, "readlink /opt/oauth-server/current").strip()
    assert odd.early.release not in new
    releases = _as_root(odd.lab, _OLDER, "ls /opt/oauth-server/releases")
    assert odd.early.release in releases
    assert "auth.example.net" not in _as_root(
        odd.lab, _OLDER, "cat /etc/oauth2/server.yaml /etc/nginx/nginx.conf"
    )
    assert "old" not in _as_root(odd.lab, _OLDER, "test -e /nonexistent && echo old; true")
    modules = _as_root(odd.lab, _OLDER, "cat /proc/$(cat /run/nginx.pid)/maps")
    assert "ngx_http_echo" not in modules


def test_an_account_that_was_there_keeps_its_ids_and_loses_the_rest(odd: Odd) -> None:
    host = odd.lab.hosts[_TAKEN].name
    entry, groups = _as_root(
        odd.lab, _TAKEN, "getent passwd oauth_user; id -Gn oauth_user"
    ).splitlines()
    assert entry.split(":")[2:4] == ["4711", "4712"]
    assert entry.split(":")[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert groups == "oauth_group"
    owner = _as_root(odd.lab, _TAKEN, "stat -c '%u %g' /etc/oauth2/keys/ring/active/private.pem")
    assert owner == "4711 4712\n"
    for taken in (
        "oauth_user loses its shell /bin/bash",
        "oauth_user loses its home /home/oauth_user; the directory stays as it is",
        "oauth_user loses its password: it is locked",
        "oauth_user is taken out of the groups users, adm",
    ):
        assert [host in line for line in odd.said.splitlines() if taken in line] == [True], taken
    login = odd.lab.ssh("true", _TAKEN, options=("-l", "oauth_user"))
    assert login.returncode == 255


def test_selinux_that_is_off_and_programs_that_may_not_run_in_tmp_are_no_matter(odd: Odd) -> None:
    assert "noexec" in _as_root(odd.lab, _TAKEN, "findmnt -n -o OPTIONS /tmp")
    assert "noexec" in _as_root(odd.lab, _TAKEN, "findmnt -n -o OPTIONS /var/tmp")
    host = odd.lab.hosts[_TAKEN].name
    said = [line for line in odd.said.lower().splitlines() if host in line]
    assert not [line for line in said if "selinux" in line and "unpack" not in line]


def test_packages_came_through_the_proxy_and_the_host_began_nothing_else(odd: Odd) -> None:
    """The release came from here, and nobody was told the proxy's password."""
    machine = odd.lab.hosts[0].address.rpartition(".")[0] + ".1"
    listed = json.loads(_as_root(odd.lab, _CLOSED, "nft -j list set inet probe elsewhere"))
    (begun,) = [entry["set"]["elem"] for entry in listed["nftables"] if "set" in entry]
    places = {tuple(each.get("elem", {}).get("val", each)["concat"]) for each in begun}
    assert (machine, "tcp", 31420) in places
    assert places <= {(machine, "tcp", 31420), (machine, "udp", 123)}, places
    assert _PROXY_PASSWORD not in odd.said


def test_files_follow_an_account_whose_ids_change_later(odd: Odd) -> None:
    """As after a restored backup: the key is the one that it was."""
    key = "/etc/oauth2/keys/private_key.pem"
    before = _as_root(odd.lab, _TAKEN, f"sha256sum {key}")
    _as_root(
        odd.lab,
        _TAKEN,
        "systemctl stop oauth-server.socket oauth-server-metrics.socket oauth-server.service;"
        "usermod -u 901 oauth_user; groupmod -g 902 oauth_group",
    )
    only = ("--limit", odd.lab.hosts[_TAKEN].name)
    result = running.pyinfra(odd.lab, "-y", *only, inventory=odd.inventory)
    assert result.returncode == 0, result.stdout + result.stderr
    assert _as_root(odd.lab, _TAKEN, f"stat -L -c '%u %g' {key}") == "901 902\n"
    assert _as_root(odd.lab, _TAKEN, f"sha256sum {key}") == before
    ready = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/health/ready').status)"
    )
    assert _as_root(odd.lab, _TAKEN, f'python3 -c "{ready}"') == "200\n"
    assert running.pending(odd.lab, inventory=odd.inventory) == []
