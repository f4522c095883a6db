"""KEY: the ring of signing keys. No private byte leaves the host."""

from __future__ import annotations

import http.client
import re

import pytest

from tests.audit import jose
from tests.audit.subject import Answer, states_of
from tests.audit.tls import Client
from tests.audit.verdict import must_equal

_KEYS = "/etc/oauth2/keys"
_LINKS = {
    "private_key.pem": "ring/active/private.pem",
    "public_key.pem": "ring/active/public.pem",
}

QUESTIONS = {
    "directory": states_of(_KEYS),
    "links": f"cd {_KEYS} && for link in {' '.join(_LINKS)} ring/active; do "
    'echo "$link|$(readlink "$link")"; done',
    # One kid in 64 begins with a hyphen.
    "ring": f"cd {_KEYS}/ring && stat -c '%n|%U:%G %04a %F' -- */ */private.pem */public.pem",
    # For each key its name, its public half on the disk, and the one that its private half has.
    "halves": f"cd {_KEYS}/ring && for key in */; do case $key in active/) continue;; esac; "
    'echo "= $key"; cat "./$key/public.pem"; '
    'echo "= private half"; openssl pkey -in "./$key/private.pem" -passin pass: -pubout; done',
}


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
def test_keys_are_rsa_with_4096_bits_and_one_pair_each(answers: dict[str, Answer]) -> None:
    """The public half is worked out on the host; that it fits shows that the pair is whole."""
    seen, expected = {}, {}
    for name, (public, of_private) in _halves(answers).items():
        try:
            bits = str(jose.public_key(public).key_size)
        except ValueError as error:
            bits = str(error)
        fits = "with its private key" if public.strip() == of_private.strip() else "of another key"
        seen[name] = f"{bits} bits, {fits}"
        expected[name] = "4096 bits, with its private key"
    must_equal("each key must be RSA", seen=seen or "no key", expected=expected)


@pytest.mark.control("KEY-03")
def test_the_key_set_is_the_ring(answers: dict[str, Answer], client: Client) -> None:
    """Validators get the keys of this host, by their thumbprints, and no other and no more."""
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
    on_disk = {name: jose.jwk(jose.public_key(pem)) for name, (pem, _) in _halves(answers).items()}
    must_equal(
        "each key on the host must be named after its thumbprint",
        seen=sorted(on_disk),
        expected=sorted(key["kid"] for key in on_disk.values()),
    )
    must_equal("kids that are served", seen=sorted(served), expected=sorted(on_disk))
    for kid, expected in on_disk.items():
        must_equal(
            f"the key {kid} must be the one on the host, and nothing of its private half",
            seen={k: v for k, v in served[kid].items() if k in (*expected, "d", "p", "q")},
            expected=expected,
        )
