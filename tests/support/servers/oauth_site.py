"""A Django site with django-oauth-toolkit: identity server, API and admin, in one process.

Run as ``python -m tests.support.servers.oauth_site DATABASE PORT``; says ``ready`` when it listens.
Refresh tokens are rotated, and one that comes twice ends its whole family (RFC 9700, section
4.14.2).

Clients: ``machine`` (client credentials), ``app`` (password), both with the secret ``app-secret``;
``shell`` (browser) and ``tv`` (device), which have none. Below ``/o`` it is an OpenID provider, and
describes itself. The user ``ada`` with ``ada-password`` is an administrator. ``POST /control`` with
``expire`` ends all access tokens, with ``logout`` all sessions, with ``openid`` the description by
RFC 8414, so that OpenID's is left; its answer tells what was asked of the server.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from typing import Any

import django
from django.conf import settings

CLIENT_SECRET = "app-secret"
PASSWORD = "ada-password"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def configure(database: str, origin: str) -> None:
    """Set Django up; nothing that needs a model is imported before."""
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": database,
                # A transaction that begins with reading must not find out when it writes.
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 30,
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
                },
            }
        },
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "oauth2_provider",
            "rest_framework",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        # Tables as the models are: a fresh database has no history to walk through.
        MIGRATION_MODULES=dict.fromkeys(
            ("admin", "auth", "contenttypes", "oauth2_provider", "sessions")
        ),
        LOGIN_URL="/admin/login/",
        OAUTH2_PROVIDER={
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "SCOPES": {"read": "Reading", "write": "Writing", "openid": "Knowing who you are"},
            "DEFAULT_SCOPES": ["read", "write"],
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": signing_key(),
            "OAUTH2_VALIDATOR_CLASS": "tests.support.servers.openid_site.Validator",
            "OAUTH_DEVICE_VERIFICATION_URI": f"{origin}/o/device/",
            # The server names itself in each redirect (RFC 9207).
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        ROOT_URLCONF=__name__,
        SECRET_KEY="planted-site-key",
        STATIC_URL="static/",
        USE_TZ=True,
    )
    django.setup()


def signing_key() -> str:
    """Return a fresh key for identity tokens."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(65_537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def seed() -> None:
    """Make the tables, the clients and the user."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", run_syncdb=True, verbosity=0)
    ada = User.objects.create_superuser("ada", "ada@shop.example", PASSWORD)
    for name, grant in (("machine", "client-credentials"), ("app", "password")):
        Application.objects.create(
            client_id=name,
            client_secret=CLIENT_SECRET,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=grant,
            user=ada,
        )
    for name, grant in (("shell", "authorization-code"), ("tv", DEVICE)):
        Application.objects.create(
            client_id=name,
            client_type=Application.CLIENT_PUBLIC,
            authorization_grant_type=grant,
            redirect_uris="http://127.0.0.1/callback",
            algorithm=Application.RS256_ALGORITHM,
        )


class Tally:
    """What was asked of the token endpoint, and how it was answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def note(self, grant: str, status: int) -> None:
        """Count one answer."""
        with self._lock:
            self._counts[f"{grant} {status}"] += 1

    def take(self) -> dict[str, int]:
        """Return the counts, and begin anew."""
        with self._lock:
            counts, self._counts = dict(self._counts), Counter()
        return counts


def routes() -> list[Any]:
    """Return what is served where."""
    from django.contrib import admin
    from django.contrib.auth.decorators import login_required
    from django.contrib.sessions.models import Session
    from django.http import HttpRequest, HttpResponse, JsonResponse
    from django.urls import include, path
    from django.views.decorators.csrf import csrf_exempt
    from oauth2_provider.contrib.rest_framework import OAuth2Authentication, TokenHasScope
    from oauth2_provider.models import AccessToken
    from oauth2_provider.views import RevokeTokenView, TokenView
    from rest_framework.decorators import (
        api_view,
        authentication_classes,
        permission_classes,
    )
    from rest_framework.response import Response

    from tests.support.servers import openid_site

    tally = Tally()
    issue = TokenView.as_view()

    @csrf_exempt  # type: ignore[untyped-decorator]  # Django ships no types
    def token(request: HttpRequest) -> HttpResponse:
        grant = request.POST.get("grant_type", "")
        response: HttpResponse = issue(request)
        tally.note(grant, response.status_code)
        return response

    @csrf_exempt  # type: ignore[untyped-decorator]  # as above
    def control(request: HttpRequest) -> HttpResponse:
        from django.utils import timezone

        asked = json.loads(request.body or "{}")
        if asked.get("expire"):
            AccessToken.objects.update(expires=timezone.now())
        if asked.get("logout"):
            Session.objects.all().delete()
        (openid_site.hidden.set if asked.get("openid") else openid_site.hidden.clear)()
        return JsonResponse(tally.take())

    @api_view(["GET", "POST"])  # type: ignore[untyped-decorator]  # as above
    @authentication_classes([OAuth2Authentication])  # type: ignore[untyped-decorator]  # as above
    @permission_classes([TokenHasScope])  # type: ignore[untyped-decorator]  # as above
    def item(request: Any, number: int) -> Response:
        return Response({"number": number, "user": getattr(request.user, "username", None)})

    item.cls.required_scopes = ["read"]

    @login_required  # type: ignore[untyped-decorator]  # as above
    def me(request: Any) -> HttpResponse:
        return JsonResponse({"user": request.user.username, "method": request.method})

    return [
        path("token", token),
        path("o/token/", token),
        path("o/device-authorization/", openid_site.Device.as_view()),
        path("o/", include("oauth2_provider.urls")),
        path(".well-known/oauth-authorization-server/<path:issuer_path>", openid_site.description),
        path("revoke", RevokeTokenView.as_view()),
        path("control", control),
        path("items/<int:number>", item),
        path("me", me),
        path("admin/", admin.site.urls),
    ]


class _LazyRoutes(list[Any]):
    """The routes, made when Django first looks: their modules need the settings."""

    def __iter__(self) -> Any:
        if not len(self):
            self.extend(routes())
        return super().__iter__()


urlpatterns = _LazyRoutes()


def main(database: str, port: int) -> None:
    """Serve until it is told to end."""
    configure(database, f"http://127.0.0.1:{port}")
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Handler(WSGIRequestHandler):  # type: ignore[misc]  # as above
        # Headers and body in one piece, or each answer waits for a delayed acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's signature
            """Say nothing."""

    class Server(ThreadedWSGIServer):  # type: ignore[misc]  # as above
        daemon_threads = True
        # With Django's ten, a fleet that comes at once waits a second to be let in.
        request_queue_size = 128

    seed()
    server = Server(("127.0.0.1", port), Handler)
    server.set_app(get_wsgi_application())
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    # Under the name that Django imports the routes by.
    from tests.support.servers import oauth_site

    oauth_site.main(sys.argv[1], int(sys.argv[2]))
