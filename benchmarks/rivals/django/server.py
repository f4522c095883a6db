"""django-oauth-toolkit with one machine client, in one file: settings, routes, WSGI.

It makes opaque tokens and keeps them in its database; its secrets are left unhashed, because its
slow hash would cost a hundred times what is compared here.
"""

from __future__ import annotations

import os
import secrets

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"], "CONN_MAX_AGE": None
    }},
    DEBUG=False,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"
    ],
    MIDDLEWARE=[],
    OAUTH2_PROVIDER={"SCOPES": {"telemetry:read": "Read", "telemetry:write": "Write"}},
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)  # fmt: skip
django.setup()
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]

call_command("migrate", verbosity=0)
from oauth2_provider.models import Application  # noqa: E402 - needs what is set up above

Application.objects.get_or_create(
    client_id=os.environ["CLIENT_ID"],
    client_type=Application.CLIENT_CONFIDENTIAL,
    authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    client_secret=os.environ["CLIENT_SECRET"],
    hash_client_secret=False,
)
application = get_wsgi_application()
