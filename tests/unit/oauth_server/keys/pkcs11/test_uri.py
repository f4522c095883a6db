from __future__ import annotations

import pytest

from oauth_server.keys.pkcs11 import uri
from oauth_server.keys.pkcs11.uri import KeyUri, UriError

KEY = KeyUri("HSM 1; Straße 100%", bytes(range(240, 256)))


def test_a_uri_is_written_as_rfc7512_says() -> None:
    assert str(KeyUri("a token", b"\x01\xfe")) == (
        "pkcs11:token=a%20token;object=oauth-server;type=private;id=%01%FE"
    )


def test_what_was_written_is_read() -> None:
    assert uri.parse(str(KEY)) == KEY
    assert str(KEY).isascii()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("file:///key", "not a PKCS#11 URI", id="another-scheme"),
        pytest.param(f"{KEY}?pin-value=1234", "no query", id="pin"),
        pytest.param(f"{KEY}?module-path=/tmp/x.so", "no query", id="module"),
        pytest.param(f"{KEY};token=other", "not a PKCS#11 URI", id="twice"),
        pytest.param(f"{KEY};serial=1", "nothing else", id="unknown-attribute"),
        pytest.param(f"{KEY}\n", "not a PKCS#11 URI", id="newline"),
        pytest.param("pkcs11:", "not a PKCS#11 URI", id="empty"),
        pytest.param("pkcs11:token=a;object=b;type=private", "nothing else", id="without-id"),
        pytest.param("pkcs11:token=a;object=b;type=public;id=%01", "nothing else", id="public"),
        pytest.param("pkcs11:token=a;object=b;type=private;id=", "1 to 64", id="empty-id"),
        pytest.param(
            f"pkcs11:token=a;object=b;type=private;id={'%01' * 65}", "1 to 64", id="long-id"
        ),
        pytest.param("pkcs11:token=%FF;object=b;type=private;id=%01", "UTF-8", id="not-utf8"),
        pytest.param("pkcs11:token=%zz;object=b;type=private;id=%01", "not a", id="not-encoded"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(UriError, match=why):
        uri.parse(text)
