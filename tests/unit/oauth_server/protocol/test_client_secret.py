from __future__ import annotations

import hashlib
from unittest import mock

from oauth_server.protocol import client_secret


def test_a_secret_has_256_bits_and_needs_no_encoding() -> None:
    secret = client_secret.generate()
    assert len(secret) == 43
    assert secret.replace("-", "").replace("_", "").isalnum()
    assert secret != client_secret.generate()


def test_the_hash_is_the_sha256_of_the_secrets_utf8() -> None:
    assert client_secret.digest("ä") == "sha256:" + hashlib.sha256(b"\xc3\xa4").hexdigest()
    assert client_secret.is_hash(client_secret.digest("ä"))


def test_hashes_in_another_form_are_none() -> None:
    digest = client_secret.digest("x")
    for text in (digest + "\n", digest[:-1], digest.upper(), digest[7:], "sha512:" + digest[7:]):
        assert not client_secret.is_hash(text)


def test_only_its_own_secret_verifies() -> None:
    digest = client_secret.digest("right")
    assert client_secret.verifies("right", digest)
    assert not client_secret.verifies("wrong", digest)
    assert not client_secret.verifies("", digest)


def test_without_a_hash_the_same_work_is_done_for_nothing() -> None:
    """No oracle: whether a client exists cannot be read off the time."""
    with mock.patch("hmac.compare_digest", return_value=True) as compared:
        assert not client_secret.verifies("secret", None)
        assert client_secret.verifies("secret", client_secret.digest("other"))
    ours, theirs = (call.args for call in compared.call_args_list)
    assert [len(part) for part in ours] == [len(part) for part in theirs]
