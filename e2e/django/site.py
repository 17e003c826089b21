"""A small Django REST API that signs people in as the fork of cognito_code_grant does, which
no package index has: for the test that has a Go backend beside it. The released package
itself is run by package_test.go.

usage: site.py settings.json migrate | site.py settings.json serve
"""

import json
import os
import socketserver
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/django"))
with open(sys.argv[1]) as f:
    given = json.load(f)

settings.configure(
    SECRET_KEY="of a test",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    DATABASES={"default": given["database"]},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "siblings.SharedTokens"],
    SHARED_TOKENS=True,
    SHARED_TOKENS_DOMAIN=given["domain"],
    AUTH_COGNITO_CLIENT_ID=given["client_id"],
    SESSION_COOKIE_SECURE=True,
    ROOT_URLCONF="__main__",
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import IntegrityError, connection  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect  # noqa: E402
from django.urls import path  # noqa: E402
from jose import JWTError, jwt  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

TOKENS = ("access_token", "id_token", "refresh_token")


def ask_pool(**form):
    form.update(client_id=given["client_id"], client_secret=given["client_secret"])
    body = urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(given["token_url"], body, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return {}


def claims(token, **options):
    with urllib.request.urlopen(given["jwks_url"], timeout=10) as answer:
        keys = json.load(answer)
    return jwt.decode(token, keys, algorithms=["RS256"], **options)


class CognitoAuthentication(BaseAuthentication):
    def authenticate(self, request):
        store = request.session if "access_token" in request.session else request.COOKIES
        tokens = {name: store[name] for name in TOKENS if name in store}
        if not tokens:
            return None
        try:
            claims(tokens.get("access_token", ""))
        except JWTError:
            fresh = ask_pool(grant_type="refresh_token", refresh_token=tokens.get("refresh_token", ""))
            if "access_token" not in fresh:
                raise AuthenticationFailed("Failed to fetch new tokens")
            tokens.update({name: fresh[name] for name in TOKENS if name in fresh})
            request.session.update(tokens)
        try:
            person = claims(tokens["id_token"], audience=given["client_id"], access_token=tokens["access_token"])
        except JWTError as err:
            raise AuthenticationFailed(str(err))
        return replicate(person), None

    def authenticate_header(self, request):
        return "Cognito"


def replicate(person):
    user = User.objects.filter(email__iexact=person["email"]).first()
    if user is None:
        try:
            user = User.objects.create(username=person["email"].lower(), email=person["email"], first_name=person.get("name", ""))
        except IntegrityError:
            user = User.objects.get(email__iexact=person["email"])
    for name in person.get("cognito:groups", []):
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    return user


def start(request):
    query = {"response_type": "code", "client_id": given["client_id"], "redirect_uri": given["login_url"], "scope": "openid email profile", "state": given["after"]}
    return HttpResponseRedirect(given["authorize_url"] + "?" + urllib.parse.urlencode(query))


def login(request):
    tokens = ask_pool(grant_type="authorization_code", code=request.GET.get("code", ""), redirect_uri=given["login_url"])
    if "access_token" not in tokens:
        return HttpResponse("no tokens", status=401)
    tokens = {name: tokens[name] for name in TOKENS if name in tokens}
    request.session.update(tokens)
    return HttpResponseRedirect(request.GET.get("state") or given["after"])


def logout(request):
    request.session.flush()
    response = HttpResponse("signed out")
    for name in TOKENS:
        response.delete_cookie(name, domain=given["domain"])
    return response


class Me(APIView):
    authentication_classes = [CognitoAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        user = request.user
        return Response({"id": user.id, "email": user.email, "groups": sorted(g.name for g in user.groups.all())})


def users(request):
    """All users, for the test to count, with what Django itself thinks of their passwords."""
    found = [{"id": u.id, "username": u.username, "email": u.email, "usable": u.has_usable_password()} for u in User.objects.order_by("id")]
    return HttpResponse(json.dumps(found), content_type="application/json")


urlpatterns = [
    path("auth/start", start),
    path("auth/login/", login),
    path("auth/logout/", logout),
    path("api/me", Me.as_view()),
    path("users", users),
]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if sys.argv[2] == "migrate":
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA journal_mode=WAL")
else:
    from django.core.wsgi import get_wsgi_application

    server = Server(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    print(server.server_address[1], flush=True)
    # The test holds the other end: when it is gone, so is this.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()
