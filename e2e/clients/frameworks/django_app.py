"""A Django application that answers with what Django reads of the person who asks."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import re_path

settings.configure(
    SECRET_KEY="only for tests", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_X_FORWARDED_HOST=True, USE_X_FORWARDED_PORT=True,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"), MIDDLEWARE=["django.middleware.common.CommonMiddleware"], APPEND_SLASH=False,
)


def tell(request):
    # A server that closes a connection with a body unread resets it, and its answer may be lost.
    request.environ["wsgi.input"].read()
    # Both of Django's ways: a mapping of headers, and WSGI's environment.
    read = {name: request.headers.get(name, "") for name in request.GET.getlist("name")}
    read.update({"environment of " + name: request.META.get("HTTP_" + name.upper().replace("-", "_"), "") for name in request.GET.getlist("name")})
    read.update({"user": request.META.get("REMOTE_USER", ""), "address": request.META.get("HTTP_X_FORWARDED_FOR", ""), "method": request.method, "place": request.build_absolute_uri(request.path)})
    return JsonResponse(read)


urlpatterns = [re_path("", tell)]
application = get_wsgi_application()
