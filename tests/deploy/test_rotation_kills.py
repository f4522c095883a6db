"""A rotation on a host, killed before each system call that changes something: a sweep.

Whatever was left, clients get tokens all the time, and the next run finishes it.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

_CALLS = (
    "mkdir", "rename", "symlink", "link", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fsync",
)  # fmt: skip

# `?`: not every architecture has each of them. Prints a line for each kill, and what was wrong.
_SWEEP = r"""
set -u
keys=/etc/oauth2/keys
server() { /usr/local/bin/oauth-server keys "$@"; }
earlier() {
  # As if the last rotation had been a minute ago: two within seconds are one.
  python3 - "$keys"/ring/*/times.json <<'END'
import json, os, sys
from datetime import datetime, timedelta
for path in sys.argv[1:]:
    with open(path, "r+") as file:
        times = json.load(file)
        for name in ("retired", "until"):
            if name in times:
                moment = datetime.fromisoformat(times[name].replace("Z", "+00:00"))
                times[name] = (moment - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
        file.seek(0)
        file.truncate()
        json.dump(times, file)
END
}
check() {
  readable=$(find "$keys" ! -type l -type f \( -name private.pem -o -name '.private*' \) -perm /077)
  [ -z "$readable" ] || echo "WRONG: others can read $readable after $1"
  [ -z "$(find "$keys" ! -user oauth_user)" ] || echo "WRONG: an owner after $1"
}
for call in CALLS; do
  number=1
  while :; do
    earlier
    until server rotate --dry-run > /dev/null 2>&1; do sleep 0.2; done
    strace -qq -f -o /dev/null -e "trace=?$call" \
      -e "inject=?$call:signal=KILL:when=$number" /usr/local/bin/oauth-server keys rotate \
      > /tmp/killed 2>&1
    status=$?
    check "$call $number"
    [ $status -ne 0 ] || break
    [ $status -eq 137 ] || { echo "WRONG: $call $number: $status: $(cat /tmp/killed)"; break; }
    echo "killed $call $number"
    server init > /dev/null || echo "WRONG: init after $call $number"
    server list --json | python3 -c '
import collections, json, sys
states = collections.Counter(key["state"] for key in json.load(sys.stdin)["keys"])
if states["active"] != 1 or states["pending"] < 1: print("WRONG:", dict(states))'
    check "init after $call $number"
    number=$((number + 1))
  done
done
left=$(find "$keys" -name '.*' -newermt -1day)
[ -z "$left" ] || echo "WRONG: left over: $left"
server verify > /tmp/verify || { sleep 5; server verify; } || echo "WRONG: the lineage"
"""


@pytest.fixture(scope="module")
def quick(make_lab: MakeLab, tmp_path_factory: pytest.TempPathFactory) -> RunningLab:
    """A host with keys that are made in no time, and caches that keep nothing."""
    lab = make_lab()
    changes = (
        "{'oauth_server': {**data['oauth_server'], 'signing_algorithm': 'ES256',"
        " 'jwks_cache_max': 0}}"
    )
    inventory = running.changed_inventory(tmp_path_factory.mktemp("quick"), changes)
    done = running.pyinfra(lab, "-y", inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = lab.ssh("sudo apt-get install -qy strace")
    assert installed.returncode == 0, installed.stderr
    return lab


@contextmanager
def _tokens(lab: RunningLab) -> Iterator[list[str]]:
    """Fetch a token and have it introspected, again and again; what went wrong."""
    described = json.loads(lab.lab_json.read_text())
    client = described["confidential_client"]
    auth = client["client_id"], client["client_secret"]
    failures: list[str] = []
    fetched: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        trust = ssl.create_default_context(cafile=described["ca_file"])
        with httpx.Client(
            base_url=described["issuer"], verify=trust, auth=auth, timeout=15
        ) as http:
            while not stop.wait(0.1):
                try:
                    answer = http.post("/token", data={"grant_type": "client_credentials"})
                    fetched.append(answer.json()["access_token"])
                    for token in (fetched[0], fetched[-1]):
                        said = http.post("/introspect", data={"token": token})
                        if not said.json()["active"] and said.status_code == 200:
                            failures.append("a token is not active")
                except (httpx.HTTPError, KeyError) as error:
                    failures.append(repr(error))
                del fetched[:-50]

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failures
    finally:
        stop.set()
        thread.join()
        assert fetched


def test_a_rotation_killed_at_any_step_is_finished_by_the_next_and_no_client_notices(
    quick: RunningLab,
) -> None:
    sweep = _SWEEP.replace("CALLS", " ".join(_CALLS))
    with _tokens(quick) as failures:
        done = quick.ssh(f"sudo sh -c {running.quoted(sweep)}")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("WRONG")] == [], done.stdout + done.stderr
    assert failures == []
    killed = [line.split()[1] for line in lines if line.startswith("killed")]
    # What a rotation does at the least: a new key's directory, its files, the link, what retires.
    for call, times in {"mkdir": 1, "rename": 5, "symlink": 1, "unlink": 1, "fsync": 8}.items():
        assert killed.count(call) >= times, done.stdout
