"""A Django REST API that signs people in with cognito_code_grant, as its README has it.

    app.py migrate | flush --no-input | serve [PORT] | …   as manage.py

Settings come from the environment, under their own names; DATABASE is JSON.
"""

import json
import os
import socketserver
import sys
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
env = os.environ


def given(*names):
    return {name: env[name] for name in names if name in env}


middleware = ["django.contrib.sessions.middleware.SessionMiddleware"]
if env.get("SHARED_TOKENS_DOMAIN") and not env.get("WITHOUT_SIBLINGS"):
    middleware.append("siblings.SharedTokens")
if env.get("CLOUDFRONT_SIGNED_COOKIES"):
    middleware.append("cognito_code_grant.signed_cookies.SignedCookiesMiddleware")

settings.configure(
    SECRET_KEY=env.get("SECRET_KEY", "for this machine alone"),
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    TIME_ZONE=env.get("TIME_ZONE", "UTC"),
    DATABASES={"default": json.loads(env["DATABASE"])},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework"],
    MIDDLEWARE=middleware,
    SESSION_COOKIE_SECURE=True,
    ROOT_URLCONF="app",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    # Do not have your proxy send this header: the package then makes a redirect_uri that begins with httpss.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    # Or accounts.Authentication, where people are merged or accounts turned off.
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [env.get("AUTHENTICATION", "cognito_code_grant.authentication.CognitoAuthentication")]},
    # What the package reads.
    SHARED_TOKENS=env.get("SHARED_TOKENS") == "True",
    CLOUDFRONT_SIGNED_COOKIES=bool(env.get("CLOUDFRONT_SIGNED_COOKIES")),
    **given("AUTH_COGNITO_CLIENT_ID", "AUTH_COGNITO_CODE_GRANT_URL", "AUTH_COGNITO_JWKS_URL"),
    **given("SHARED_TOKENS_DOMAIN"),
    **given(*("CLOUDFRONT_SIGNED_COOKIES_" + name for name in ("DOMAIN", "RESOURCE", "KEY_PAIR_ID", "PRIVATE_KEY"))),
)
os.environ["TZ"] = settings.TIME_ZONE  # as Django does for a module of settings
time.tzset()
sys.modules["app"] = sys.modules[__name__]
django.setup()

from cognito_code_grant.views import include_auth_urls  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Me(APIView):
    """Who is asking, as Django knows them."""

    permission_classes = [IsAuthenticated]

    def get(self, request):
        user = request.user
        return Response({
            "at": "Django " + django.get_version(), "id": user.id, "email": user.email, "username": user.username,
            "groups": sorted(group.name for group in user.groups.all()),
        })

    post = get


def home(request):
    """A page for the scripts of its own origin, and a look at who is signed in."""
    return HttpResponse(
        "<!doctype html><meta charset=utf-8><title>Django</title><h1>Django</h1><pre id=me>…</pre>"
        f'<p><a href="{env.get("SIGN_IN_URL", "/")}">Sign in</a> · <a href="/auth/logout/?state=/">Sign out</a> · <a href="{env.get("SIBLING_URL", "/")}">The Go backend</a>'
        '<script>fetch("/api/me").then(async r => me.textContent = r.status + " " + await r.text())</script>'
    )


urlpatterns = [path("", home), path("api/me", Me.as_view()), path("auth/", include_auth_urls())]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def serve(port):
    """Serves until standard input ends, and says where."""
    from django.core.wsgi import get_wsgi_application

    server = Server(("127.0.0.1", port), Quiet)
    server.set_app(get_wsgi_application())
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
        if sys.argv[1] == "migrate" and connection.vendor == "sqlite":
            connection.cursor().execute("PRAGMA journal_mode=WAL")  # readers beside a writer
