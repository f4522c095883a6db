"""KEY: the ring of signing keys. No private byte leaves the host."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml

from tests.audit import jose
from tests.audit.subject import Answer, Subject, states_of, units_of
from tests.audit.tls import Client
from tests.audit.verdict import must_equal, must_hold, not_checked

pytestmark = pytest.mark.group("auth_servers")

_KEYS = "/etc/oauth2/keys"
_LINKS = {
    "private_key.pem": "ring/active/private.pem",
    "public_key.pem": "ring/active/public.pem",
}
_TIMER, _SERVICE = "oauth-key-rotate.timer", "oauth-key-rotate.service"
_KINDS = ("RSA 4096", "P-256", "Ed25519")
_SLACK = timedelta(days=7)
"""The timer waits for so long for a server of the fleet that was down."""
_FOLLOWED = 5
"""Seconds after which a server works with what changed in its ring: it looks every two."""

QUESTIONS = {
    "directory": states_of(_KEYS),
    "fleet": "cat /etc/oauth2/fleet.json 2> /dev/null || true",
    "identity": states_of(
        "/etc/oauth2/fleet.json", f"{_KEYS}/identity.pem", f"{_KEYS}/identity.pub.pem"
    ),
    "own identity": f"cat {_KEYS}/identity.pub.pem 2> /dev/null || true",
    "links": f"cd {_KEYS} && for link in {' '.join(_LINKS)} ring/active; do "
    'echo "$link|$(readlink "$link")"; done',
    # One kid in 64 begins with a hyphen. Where all keys are on a token there is no private.pem.
    "ring": f"cd {_KEYS}/ring && "
    "stat -c '%n|%U:%G %04a %F' -- */ */public.pem $(ls -d -- */private.pem 2>/dev/null)",
    # For each key its name, its public half on the disk, and the one that its private half has: it
    # is with the key, or on a token, or was destroyed when the key was retired.
    "halves": f"cd {_KEYS}/ring && for key in */; do case $key in active/) continue;; esac; "
    'echo "= $key"; cat "./$key/public.pem"; echo "= private half"; '
    'if test -e "./$key/private.pem"; then '
    'openssl pkey -in "./$key/private.pem" -passin pass: -pubout; '
    'elif test -e "./$key/pkcs11.uri"; then echo token; else echo destroyed; fi; done',
    "times": f"cd {_KEYS}/ring && {{ for key in */; do case $key in active/) continue;; esac; "
    'printf "%s " "$key"; tr -d "\\n" < "./$key/times.json"; echo; done; '
    'printf "now/ "; date +%s; }',
    "removed": f"cat {_KEYS}/removed.json 2>/dev/null || echo '{{}}'",
    "settings": "cat /etc/oauth2/server.yaml",
    "pin": states_of("/etc/oauth2/pkcs11.pin"),
    "units": units_of(_TIMER, _SERVICE),
    "result": f"systemctl show -P Result {_SERVICE}",
    # By the server's own interpreter: a host need not have curl. A rotation may just have been.
    "metrics": "$(sed -n 's/^exec \\([^ ]*\\) .*/\\1/p' /usr/local/bin/oauth-server) -I -S -c "
    f"'import os, time, urllib.request as r\nfor _ in range({_FOLLOWED}):\n"
    ' lines = r.urlopen("http://127.0.0.1:9464/metrics", timeout=5).read().decode().split("\\n")\n'
    ' signs = [line for line in lines if "signing_key_info{" in line]\n'
    f' if os.readlink("{_KEYS}/ring/active") in "".join(signs): break\n'
    " time.sleep(1)\n"
    'print(*signs, sep="\\n")\'',
    # A pattern that does not match itself, where it stands in the arguments of grep.
    "elsewhere": 'mark="PRIVATE KEY[-]--"; '
    'grep -lsa -e "$mark" /proc/[0-9]*/cmdline /proc/[0-9]*/environ /var/log/oauth_server.log*; '
    "journalctl -q --no-pager -u oauth-server.service -u oauth-key-rotate.service "
    '| grep -c -e "$mark"; true',
}


def _times(answers: dict[str, Answer]) -> dict[str, dict[str, Any]]:
    """times.json by kid."""
    lines = dict(line.split(" ", 1) for line in answers["times"].lines)
    return {name.rstrip("/"): json.loads(text) for name, text in lines.items() if name != "now/"}


def _now(answers: dict[str, Answer]) -> datetime:
    """By the host's clock."""
    seconds = answers["times"].lines[-1].removeprefix("now/ ")
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def _active(answers: dict[str, Answer]) -> str:
    return answers["links"].states.get("ring/active", "none")


def _is_retired(times: dict[str, Any]) -> bool:
    return "retired" in times


def _is_pending(times: dict[str, Any]) -> bool:
    return "activated" not in times


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _halves(answers: dict[str, Answer]) -> dict[str, tuple[str, str]]:
    """By directory of the ring: the public key on the disk, and the private key's public half."""
    _, *parts = re.split(r"^= (.*)\n", answers["halves"].output, flags=re.MULTILINE)
    texts = parts[1::2]
    names = [name.rstrip("/") for name in parts[0::4]]
    return dict(zip(names, zip(texts[0::2], texts[1::2], strict=True), strict=True))


@pytest.mark.control("KEY-01")
def test_the_ring_belongs_to_the_service_account(answers: dict[str, Answer]) -> None:
    """Others may pass through to the public keys, and change nothing."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["directory"].states,
        expected={_KEYS: "oauth_user:oauth_group 0711 directory"},
    )
    directories = {
        path: state
        for path, state in answers["ring"].states.items()
        if "directory" in state
        and (not state.startswith("oauth_user:") or int(state.split()[1], 8) & 0o022)
    }
    must_equal("directories in the ring that others can write to", seen=directories, expected={})


@pytest.mark.control("KEY-01")
def test_both_names_lead_through_the_active_key(answers: dict[str, Answer]) -> None:
    """They are one pair at any moment, also while the key is changed."""
    links = answers["links"].states
    active = links.pop("ring/active")
    must_equal("the links must be", seen=links, expected=_LINKS)
    must_equal(
        "the active key must be in the ring",
        seen=active,
        expected=active if active in _halves(answers) else " or ".join(_halves(answers)),
    )


@pytest.mark.control("KEY-02")
def test_private_keys_are_for_the_service_account_alone(answers: dict[str, Answer]) -> None:
    """Whoever reads one can make tokens for anybody."""
    files = {
        path: state
        for path, state in answers["ring"].states.items()
        if path.endswith("/private.pem")
    }
    must_equal(
        "each private key must be",
        seen=files,
        expected=dict.fromkeys(files, "oauth_user:oauth_group 0600 regular file"),
    )


@pytest.mark.control("KEY-02")
def test_keys_are_long_enough_and_one_pair_each(answers: dict[str, Answer]) -> None:
    """The public half is worked out on the host; that it fits shows that the pair is whole."""
    seen, expected = {}, {}
    times = _times(answers)
    for name, (public, of_private) in _halves(answers).items():
        try:
            kind = jose.strength(jose.public_key(public))
        except ValueError as error:
            kind = str(error)
        right = kind if kind in _KINDS else " or ".join(_KINDS)
        private = of_private.strip()
        fits = (
            private
            if private in {"token", "destroyed"}
            else ("a pair" if public.strip() == private else "private half of another key")
        )
        # On a token nobody can look, and there it goes with its entry. In a file who was retired
        # needs no private half any more.
        wanted = "destroyed" if _is_retired(times[name]) else "a pair"
        seen[name] = f"{kind}, {fits}"
        expected[name] = f"{right}, {'token' if fits == 'token' else wanted}"
    must_equal("each key must be", seen=seen or "no key", expected=expected)


def _served(client: Client, kids: Collection[str], *, others: bool) -> dict[str, dict[str, Any]]:
    """The key set by kid, asked for again while the server may not have seen its ring's change.

    `kids` are waited for, and for what is served beside them to go unless `others` may be.
    """
    deadline = time.monotonic() + _FOLLOWED
    while True:
        try:
            response = client.request("/.well-known/jwks.json")
        except (OSError, http.client.HTTPException) as error:
            pytest.fail(
                f"the key set must be served\n  expected: an answer over verified TLS\n"
                f"  seen:     {error}",
                pytrace=False,
            )
        must_equal("the key set's status must be", seen=response.status, expected=200)
        served = {key.get("kid", "no kid"): key for key in response.json()["keys"]}
        settled = set(kids) <= set(served) and (others or len(served) == len(kids))
        if settled or time.monotonic() > deadline:
            return served
        time.sleep(0.5)


@pytest.mark.control("KEY-03")
def test_the_key_set_is_the_ring(
    answers: dict[str, Answer], client: Client, subject: Subject
) -> None:
    """Validators get the keys of this host, by their thumbprints, and no other and no more."""
    on_disk = {name: jose.jwk(jose.public_key(pem)) for name, (pem, _) in _halves(answers).items()}
    must_equal(
        "each key on the host must be named after its thumbprint",
        seen=sorted(on_disk),
        expected=sorted(key["kid"] for key in on_disk.values()),
    )
    served = _served(client, on_disk, others=subject.has_neighbours)
    missing = sorted(set(on_disk) - set(served))
    must_equal("kids of the host that are not served", seen=missing, expected=[])
    if not subject.has_neighbours:  # what each other server of a fleet adds is looked at there
        more = sorted(set(served) - set(on_disk))
        must_equal("kids that are served and not the host's", seen=more, expected=[])
    for kid, expected in on_disk.items():
        must_equal(
            f"the key {kid} must be the one on the host, and nothing of its private half",
            seen={k: v for k, v in served[kid].items() if k in (*expected, "d", "p", "q")},
            expected=expected,
        )


@pytest.mark.control("KEY-04")
def test_the_rotation_timer_is_enabled_and_waits(answers: dict[str, Answer]) -> None:
    """Keys that a person must remember to rotate grow old."""
    unit = answers["units"].units.get(_TIMER, {})
    must_equal(
        f"{_TIMER} must be",
        seen=" ".join(unit.get(key, "missing") for key in ("UnitFileState", "ActiveState")),
        expected="enabled active",
    )


@pytest.mark.control("KEY-04")
def test_the_last_rotation_run_succeeded(answers: dict[str, Answer]) -> None:
    """It fails for a week's delay, and for a revocation that the store has not been told."""
    must_equal(
        f"the result of {_SERVICE} must be",
        seen=answers["result"].output.strip(),
        expected="success",
    )


@pytest.mark.control("KEY-05")
def test_the_active_key_is_not_older_than_a_rotation(answers: dict[str, Answer]) -> None:
    """The longer a key signs, the more is lost with it."""
    signing = yaml.safe_load(answers["settings"].output).get("signing", {})
    days = signing.get("rotation_days", 90)
    times = _times(answers)
    now, active = _now(answers), times.get(_active(answers), {})
    age = now - _moment(active["activated"]) if "activated" in active else None
    # A ring of an older version has its first pending key since the upgrade.
    pending = [_moment(each["created"]) for each in times.values() if _is_pending(each)]
    waits = bool(pending) and now - min(pending) <= _SLACK
    fine = age is not None and (age <= timedelta(days=days) + _SLACK or waits)
    must_equal(
        "the active key must sign for at most",
        seen=f"{days} days and a week" if fine else str(age),
        expected=f"{days} days and a week",
    )


@pytest.mark.control("KEY-06")
def test_a_pending_key_is_published_before_it_is_needed(answers: dict[str, Answer]) -> None:
    """A rotation, and an emergency, switch to a key that caches know."""
    pending = [kid for kid, times in _times(answers).items() if _is_pending(times)]
    must_equal("pending keys", seen=len(pending) >= 1, expected=True)


@pytest.mark.control("KEY-06")
def test_no_key_is_published_past_its_time(answers: dict[str, Answer]) -> None:
    """What no token needs any more must verify none."""
    late = {
        kid: times["until"]
        for kid, times in _times(answers).items()
        if "until" in times and _moment(times["until"]) + _SLACK < _now(answers)
    }
    must_equal("keys that are over for more than a week", seen=late, expected={})


@pytest.mark.control("KEY-06")
def test_what_an_emergency_revokes_is_revoked(answers: dict[str, Answer]) -> None:
    """Until the store knows, validators with a cache believe the key."""
    lines = json.loads(answers["removed"].output).get("removed", [])
    must_equal(
        "keys removed in an emergency that the store does not know of",
        seen=[line["kid"] for line in lines if line.get("revoked") is False],
        expected=[],
    )


@pytest.mark.control("KEY-03")
def test_the_running_server_signs_with_the_active_key(answers: dict[str, Answer]) -> None:
    """It follows its ring; where it does not, tokens are signed with a key that goes."""
    signs = re.findall(r'kid="([^"]*)"', answers["metrics"].text)
    must_equal("the kid that the server signs with", seen=signs, expected=[_active(answers)])


@pytest.mark.control("KEY-07")
def test_no_private_key_is_anywhere_else(answers: dict[str, Answer]) -> None:
    """In an argument, an environment or a log, others read it."""
    if not answers["elsewhere"].privileged:
        not_checked("this account may not look there; root's eyes are given by --sudo")
    lines = [line for line in answers["elsewhere"].lines if line not in {"", "0"}]
    must_equal("places with a private key in them", seen=lines, expected=[])


@pytest.mark.control("KEY-08")
def test_the_pin_of_a_token_is_roots_alone(answers: dict[str, Answer]) -> None:
    """systemd hands it to the units; with it whoever reaches the token signs as this server."""
    signing = yaml.safe_load(answers["settings"].output).get("signing", {})
    wanted = "root:root 0600 regular file" if signing.get("pkcs11") else "missing"
    must_equal(
        "the PIN's file must be there for a token alone",
        seen=answers["pin"].states,
        expected={"/etc/oauth2/pkcs11.pin": wanted},
    )


@pytest.mark.control("KEY-09")
def test_the_fleet_is_as_the_deploy_wrote_it(answers: dict[str, Answer], subject: Subject) -> None:
    """fleet.json is root's, names this host's own identity, and has no private half of a key."""
    text = answers["fleet"].output.strip()
    if not text:
        must_hold(
            "a server whose fleet is elsewhere must know it",
            not subject.has_neighbours,
            expected="/etc/oauth2/fleet.json",
            seen="no such file",
        )
        return
    fleet = json.loads(text)
    members = {member["host"]: member for member in fleet["members"]}
    must_equal(
        "owners and modes",
        seen=answers["identity"].states,
        expected={
            "/etc/oauth2/fleet.json": "root:oauth_group 0640 regular file",
            f"{_KEYS}/identity.pem": "oauth_user:oauth_group 0600 regular file",
            f"{_KEYS}/identity.pub.pem": "oauth_user:oauth_group 0644 regular file",
        },
    )
    own = jose.jwk(jose.public_key(answers["own identity"].output))
    must_equal(
        "the host's identity in fleet.json must be its own",
        seen=members.get(fleet["host"], {}).get("identity", "missing"),
        expected=own["x"],
    )
    private = {"d", "p", "q", "dp", "dq", "qi", "k"}
    must_equal(
        "members with a private half in fleet.json",
        seen=[name for name, one in members.items() for key in one["keys"] if private & set(key)],
        expected=[],
    )
