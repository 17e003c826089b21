"""A Django project of one file. Usage: project.py DATABASE STEP"""

import json
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a test",
    USE_TZ=True,
    TIME_ZONE="America/New_York",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import call_command


def describe(user):
    return {
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "usable": user.has_usable_password(),
        "password_length": len(user.password),
        "signs_in": authenticate(username=user.username, password=user.password) is not None,
        "active": user.is_active,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "last_login": user.last_login and user.last_login.isoformat(),
        "date_joined": user.date_joined.isoformat(),
    }


def alice():
    return User.objects.get(email__iexact="ALICE@EXAMPLE.COM")


def migrate():
    call_command("migrate", verbosity=0)


def existing():
    user = User.objects.create_user("bob", "Bob@Example.com", "secret")
    user.groups.add(Group.objects.create(name="from django"))


def look():
    print(json.dumps(describe(alice())))


def edit():
    user = alice()
    user.groups.remove(Group.objects.get(name="admins"))
    user.groups.add(Group.objects.create(name="given in django"))
    user.is_active = False
    user.save()


def remake():
    """Has Django write auth_user anew, as its migrations do on SQLite."""
    from django.db import connection

    with connection.schema_editor() as editor:
        old = User._meta.get_field("first_name")
        new = type(old)(max_length=151)
        new.set_attributes_from_name("first_name")
        new.model = User
        editor.alter_field(User, old, new)
    connection.check_constraints()


def delete():
    alice().delete()
    Group.objects.all().delete()


{f.__name__: f for f in (migrate, existing, look, edit, remake, delete)}[sys.argv[2]]()
