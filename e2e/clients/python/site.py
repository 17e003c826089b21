"""A Django site with both packages that people use for Cognito: social-auth-app-django, with
its backend cognito, and django-allauth, with its provider amazon_cognito."""

import json
import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

told = json.loads(os.environ["SETTINGS"])
settings.configure(
    SECRET_KEY="made-with-openssl-rand-hex-32-once",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": told["database"]}},
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages", "social_django",
        "allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.amazon_cognito",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware", "social_django.middleware.SocialAuthExceptionMiddleware", "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}],
    AUTHENTICATION_BACKENDS=["social_core.backends.cognito.CognitoOAuth2", "allauth.account.auth_backends.AuthenticationBackend"],
    LOGIN_REDIRECT_URL="/me",
    SOCIAL_AUTH_LOGIN_ERROR_URL="/refused",
    SOCIAL_AUTH_COGNITO_KEY=told["client"],
    SOCIAL_AUTH_COGNITO_SECRET=told["secret"],
    SOCIAL_AUTH_COGNITO_POOL_DOMAIN=told["url"],
    SOCIAL_AUTH_COGNITO_EXTRA_DATA=["refresh_token"],
    SOCIALACCOUNT_STORE_TOKENS=True,
    SOCIALACCOUNT_EMAIL_VERIFICATION="none",
    SOCIALACCOUNT_PROVIDERS={"amazon_cognito": {"DOMAIN": told["url"], "OAUTH_PKCE_ENABLED": True, "APPS": [{"client_id": told["client"], "secret": told["secret"]}]}},
)
django.setup()

from django.contrib.auth import logout
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path
from social_core.exceptions import AuthException
from social_django.utils import load_strategy


def me(request):
    if not request.user.is_authenticated:
        return JsonResponse({})
    from allauth.account.models import EmailAddress
    from allauth.socialaccount.models import SocialToken

    user = request.user
    links = list(user.social_auth.values_list("uid", flat=True)) + list(user.socialaccount_set.values_list("uid", flat=True))
    verified = EmailAddress.objects.filter(user=user, verified=True).exists()
    refresh = SocialToken.objects.filter(account__user=user).exclude(token_secret="").exists()
    return JsonResponse({"username": user.username, "email": user.email, "first": user.first_name, "uid": links[0], "verified": verified, "refresh": refresh})


def refresh(request):
    link = request.user.social_auth.get()
    before = link.access_token
    try:
        link.refresh_token(load_strategy())
    except AuthException as e:
        return HttpResponse(f"{type(e).__name__}: {e}")
    return HttpResponse("the same" if link.access_token == before else "refreshed")


def start(request):
    return HttpResponse(f'<form method="post" action="/social/login/cognito/"><input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"><button>Sign in</button></form>')


def leave(request):
    logout(request)
    return HttpResponseRedirect(told["logout"])


urlpatterns = [
    path("", lambda request: HttpResponse("home")),
    path("me", me),
    path("start", start),
    path("refresh", refresh),
    path("leave", leave),
    path("refused", lambda request: HttpResponse("refused: " + request.GET.get("message", ""))),
    path("social/", include("social_django.urls", namespace="social")),
    path("accounts/", include("allauth.urls")),
]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


call_command("migrate", verbosity=0)
make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), handler_class=Quiet).serve_forever()
