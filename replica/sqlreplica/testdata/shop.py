"""A Django project of one file, with its admin and rows of its own. Usage: shop.py DATABASE

Each line of standard input is a step and its arguments. Each is answered by a line of JSON.
"""

import json
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages",
        "django.contrib.sessions", "shop",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    DATABASES={"default": json.loads(sys.argv[1])},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF="shop",
    STATIC_URL="/static/",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
sys.modules["shop"] = sys.modules[__name__]
django.setup()

from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection, models
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import path


class Order(models.Model):
    owner = models.ForeignKey(User, on_delete=models.CASCADE)
    what = models.CharField(max_length=20)

    class Meta:
        app_label = "shop"


class Profile(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True)

    class Meta:
        app_label = "shop"


admin.site.register([Order, Profile])
urlpatterns = [path("admin/", admin.site.urls)]


def migrate():
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Order)
        editor.create_model(Profile)
    User.objects.create_superuser("root", "root@example.com", "secret")
    for name in ("ann", "bea"):
        user = User.objects.create_user(name, name + "@example.com", "secret")
        user.groups.add(Group.objects.create(name="given to " + name))
        Order.objects.create(owner=user, what="of " + name)
        Profile.objects.create(user=user)


def look():
    """What Django knows of everybody, and whether its admin shows them."""
    browser = Client()
    browser.force_login(User.objects.get(username="root"))
    pages = ["/admin/auth/user/", "/admin/auth/group/", "/admin/shop/order/", "/admin/shop/profile/"]
    people = {}
    for user in User.objects.exclude(username="root").order_by("id"):
        pages.append(f"/admin/auth/user/{user.id}/change/")
        people[user.username] = {
            "active": user.is_active,
            "signs in": authenticate(username=user.username, password="secret") is not None,
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "orders": sorted(Order.objects.filter(owner=user).values_list("what", flat=True)),
            "profile": Profile.objects.filter(user=user).exists(),
        }
    refused = [page for page in pages if browser.get(page).status_code != 200]
    connection.check_constraints()
    return {"people": people, "admin refuses": refused}


def save(name):
    """Saves somebody in the admin as its form shows them."""
    browser = Client()
    browser.force_login(User.objects.get(username="root"))
    page = f"/admin/auth/user/{User.objects.get(username=name).id}/change/"
    form = browser.get(page).context["adminform"].form
    values = {}
    for field in form:
        value = field.value()
        if field.name in ("last_login", "date_joined"):
            values[field.name + "_0"], values[field.name + "_1"] = (value.strftime("%Y-%m-%d"), value.strftime("%H:%M:%S")) if value else ("", "")
        elif value not in (None, False):
            values[field.name] = [getattr(v, "pk", v) for v in value] if isinstance(value, (list, tuple)) else value
    if browser.post(page, values).status_code != 302:
        sys.exit("the admin did not save the form")


def turn_off(name):
    User.objects.filter(username=name).update(is_active=False)


def drop_profile(name):
    Profile.objects.get(user__username=name).delete()


def delete(name):
    User.objects.get(username=name).delete()


steps = {f.__name__: f for f in (migrate, look, save, turn_off, drop_profile, delete)}
setup_test_environment()  # or pages have no context to read a form from
for line in sys.stdin:
    step, *arguments = line.split()
    print(json.dumps(steps[step](*arguments)), flush=True)
