"""Turned-off accounts, for Django backends with cognito_code_grant 1.0.30 beside backends with Codegrant.

The package lets people in whose account is turned off. Codegrant turns accounts off: of people whom the pool disables or
deletes, and of identities that you merged into another person, which the package would let in as somebody else. With
this class such people are refused, as by Django's own backends, and nothing is written to their account.

    REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["accounts.Authentication"]}
"""

from cognito_code_grant.authentication import CognitoAuthentication
from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed


class Authentication(CognitoAuthentication):
    def set_user(self, decoded_id_token):
        # As the package finds them, and before it adds groups.
        if User.objects.filter(email__iexact=decoded_id_token["email"].lower(), is_active=False).exists():
            raise AuthenticationFailed("This account is turned off.")
        return super().set_user(decoded_id_token)
