"""`oauth-server serve --dev`: a server to try on a laptop, which leaves nothing behind."""

from __future__ import annotations

import secrets
import socket
from datetime import datetime, timezone
from urllib.parse import urlencode

from oauth_server import passwords
from oauth_server.composition.server import Server
from oauth_server.errors import OperatorError
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.ring import KeyRing
from oauth_server.loading import Loaded
from oauth_server.log import StandardError
from oauth_server.models import AuthMethod, Client, GrantType
from oauth_server.output import say
from oauth_server.protocol import client_secret
from oauth_server.protocol.metadata import AUTHORIZE_PATH, JWKS_PATH, METADATA_PATH, TOKEN_PATH
from oauth_server.settings import Settings
from oauth_server.store.memory import MemoryStore
from oauth_server.systemd import Passed
from oauth_server.users import User, Users

_HOST = "127.0.0.1"
_CLIENT_ID = "dev_client"
_APP_ID = "dev_app"
_USERNAME = "dev"
# RFC 7636 appendix B's; its code_verifier is dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk.
_CODE_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def server(port: int) -> Server:
    """A server with a key, a client and a state of its own, all in memory; 0 is any free port.

    Prints how to get a token from it. Raises OperatorError.
    """
    listening = _listen(port)
    issuer = f"http://{_HOST}:{listening.getsockname()[1]}"
    secret = client_secret.generate()
    client = Client(
        client_id=_CLIENT_ID,
        grant_types=(GrantType.CLIENT_CREDENTIALS,),
        scope="telemetry:read telemetry:write",
        client_secret_hash=client_secret.digest(secret),
    )
    app = Client(
        client_id=_APP_ID,
        client_name="Example App",
        grant_types=(GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN),
        scope="telemetry:read telemetry:write",
        token_endpoint_auth_method=AuthMethod.NONE,
        redirect_uris=("http://127.0.0.1/callback",),
    )
    password = secrets.token_urlsafe(12)
    user = User(username=_USERNAME, password_hash=passwords.make_hash(password))
    key = PrivateKey.generate()
    say(_welcome(issuer, secret, password))
    return Server(
        Loaded(
            settings=Settings(issuer=issuer),
            registered={client.client_id: client, app.client_id: app},
            people=Users([user]),
            ring=KeyRing(active=key, published=[key.public], made=datetime.now(timezone.utc)),
        ),
        store=MemoryStore(),
        sink=StandardError(),
        sockets=[Passed("dev", listening)],
    )


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        listening.listen()
    except OSError as error:
        raise OperatorError(f"{_HOST}:{port}: {error.strerror}; choose another --port") from None
    listening.setblocking(False)
    return listening


def _welcome(issuer: str, secret: str, password: str) -> str:
    query = urlencode(
        {
            "response_type": "code",
            "client_id": _APP_ID,
            "redirect_uri": "http://127.0.0.1:9999/callback",
            "code_challenge": _CODE_CHALLENGE,
            "code_challenge_method": "S256",
            "state": "anything",
        }
    )
    return f"""\
A server for development: plain HTTP, its key and client are gone when it stops (Ctrl-C).

  issuer    {issuer}
  metadata  {issuer}{METADATA_PATH}
  keys      {issuer}{JWKS_PATH}

Get a token:

  curl -u {_CLIENT_ID}:{secret} -d grant_type=client_credentials {issuer}{TOKEN_PATH}

Log in as {_USERNAME} with the password {password}, and see where the code goes:

  {issuer}{AUTHORIZE_PATH}?{query}
"""
