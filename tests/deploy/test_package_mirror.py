"""A host whose way to its packages is closed says which mirror, which proxy, and is not changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab

_CONFIG = "/etc/apt/apt.conf.d/90lab"
_PASSWORD = "password-of-the-proxy"


@pytest.fixture(scope="module")
def shrunk(deployed: RunningLab) -> Iterator[RunningLab]:
    """The deployed host without one of its packages, which is in no cache of it either."""
    _root(deployed, f"cp -p {_CONFIG} /root/90lab")
    _root(deployed, "apt-get -qq remove --yes logrotate && rm /var/cache/apt/archives/logrotate*")
    # Who closes a way does so for good: there is nothing to wait for.
    _root(deployed, "echo 'Acquire::Retries \"0\";' > /etc/apt/apt.conf.d/91retries")
    yield deployed
    _root(deployed, "rm /root/90lab /etc/apt/apt.conf.d/91retries")
    running.deploy(deployed)


@pytest.fixture
def lacking(shrunk: RunningLab) -> Iterator[RunningLab]:
    yield shrunk
    _root(shrunk, f"cp -p /root/90lab {_CONFIG}")


def _root(lab: RunningLab, script: str) -> None:
    done = lab.ssh(f"sudo sh -c {quote(script)}")
    assert done.returncode == 0, done.stderr


@contextmanager
def _unchanged(lab: RunningLab) -> Iterator[None]:
    before = running.state(lab)
    yield
    assert running.state(lab) == before


def _line(lab: RunningLab) -> str:
    """The one line in which a run says why it ended."""
    with _unchanged(lab):
        result = running.pyinfra(lab, "-y")
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert "Traceback" not in said
    assert _PASSWORD not in said
    (line,) = [line for line in said.splitlines() if "packages cannot be fetched" in line]
    assert lab.hosts[0].name in line
    assert "/dists/" in line or "/pool/" in line
    assert "let the host's apt reach its mirror" in line
    return line


def test_a_wrong_proxy_is_named_without_its_password(lacking: RunningLab) -> None:
    _root(lacking, f"sed -i 's|http://|http://mirror:{_PASSWORD}@|; s|:31420|:9|' {_CONFIG}")
    line = _line(lacking)
    assert ":9" in line.split("through the proxy http://***@")[1]


def test_without_a_proxy_the_mirror_is_named(lacking: RunningLab) -> None:
    _root(lacking, f"rm {_CONFIG}")
    assert "proxy http" not in _line(lacking)


def test_an_inventory_can_name_the_proxy(lacking: RunningLab, tmp_path: Path) -> None:
    """pyinfra's `_env` is the environment of all that runs on the host, apt included."""
    _root(lacking, f"rm {_CONFIG}")
    machine = lacking.hosts[0].address.rpartition(".")[0] + ".1"
    changes = f"{{'_env': {{'http_proxy': 'http://{machine}:31420'}}}}"
    result = running.pyinfra(lacking, "-y", inventory=running.changed_inventory(tmp_path, changes))
    assert result.returncode == 0, result.stdout + result.stderr
    assert lacking.ssh("dpkg-query -W -f '${db:Status-Status}' logrotate").stdout == "installed"
