"""A token from the lab: fetched as a client would, and verified with the host's own public key."""

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.lab import description
from tests.lab.machine import WITH_US, LabError, run

_TIMEOUT = 10.0


@dataclass(frozen=True)
class VerifiedToken:
    encoded: str
    header: dict[str, Any]
    claims: dict[str, Any]


def fetch_verified(lab_json: Path) -> VerifiedToken:
    """Fetch a token from the lab's issuer and verify it; raises LabError naming what is wrong."""
    described = description.read(lab_json)
    issuer, client = described["issuer"], described["confidential_client"]
    token = _fetch(issuer, Path(described["ca_file"]), client)
    return verified(token, public_key(described), issuer, client)


def public_key(described: dict[str, Any]) -> str:
    """From the host itself, not from the issuer's JWKS: that would let a server vouch for itself.

    Raises LabError.
    """
    first = described["hosts"][0]["name"]
    read_key = "sudo cat /etc/oauth2/keys/public_key.pem"
    return run(*WITH_US, "ssh", "-F", described["ssh_config"], first, read_key)


def verified(
    token: str,
    public_key: str,
    issuer: str,
    client: dict[str, str],
    *,
    subject: str | None = None,
) -> VerifiedToken:
    """Check signature, issuer, client, scope and times; raises LabError naming what is wrong.

    The `subject` is the client itself where none is named.
    """
    try:
        decoded = jwt.decode(token, RSAKey.import_key(public_key), algorithms=["RS256"])
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": issuer},
            sub={"essential": True, "value": subject or client["client_id"]},
            exp={"essential": True},
            client_id={"essential": True, "value": client["client_id"]},
            scope={"essential": True, "value": client["scope"]},
        ).validate(decoded.claims)
    except (JoseError, ValueError) as error:
        raise LabError(f"the token of {issuer} does not verify: {error}") from error
    return VerifiedToken(token, dict(decoded.header), decoded.claims)


def _fetch(issuer: str, ca_file: Path, client: dict[str, str]) -> str:
    if not ca_file.is_file():
        raise LabError(f"{ca_file} is not there: the deploy makes it, and has not run to its end")
    trusted = ssl.create_default_context(cafile=str(ca_file))
    trusted.minimum_version = ssl.TLSVersion.TLSv1_3
    form = urllib.parse.urlencode(
        {"grant_type": "client_credentials", "scope": client["scope"]}
    ).encode()
    # RFC 6749 §2.3.1: both are form-encoded before they are joined.
    pair = ":".join(urllib.parse.quote_plus(client[key]) for key in ("client_id", "client_secret"))
    basic = base64.b64encode(pair.encode()).decode()
    request = urllib.request.Request(  # noqa: S310 (the issuer is https by its schema)
        f"{issuer}/token", data=form, headers={"Authorization": f"Basic {basic}"}
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            return str(json.load(response)["access_token"])
    except urllib.error.HTTPError as error:
        raise LabError(f"{issuer}/token answered {error.code}: {error.read(500)!r}") from error
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as error:
        raise LabError(f"{issuer}/token gave no token: {error}") from error
