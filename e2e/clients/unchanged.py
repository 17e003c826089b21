"""Packages that build Cognito's issuer and keys from region and pool id, and know no
other. Nothing here names an emulator; the environment does."""
import os

import boto3
import django.conf
import flask

REGION, POOL, CLIENT = os.environ["AWS_REGION"], os.environ["POOL"], "spa"

tokens = boto3.client("cognito-idp").initiate_auth(
    ClientId=CLIENT, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "alice", "PASSWORD": "Passw0rd!"}
)["AuthenticationResult"]
access, identity = tokens["AccessToken"], tokens["IdToken"]
assert boto3.client("cognito-idp").list_users(UserPoolId=POOL)["Users"]


def cognitojwt():
    import cognitojwt

    return cognitojwt.decode(access, REGION, POOL, CLIENT)["username"]


def chalice_cognito_auth():
    from chalice_cognito_auth.decoder import KeyFetcher, TokenDecoder

    return TokenDecoder(KeyFetcher(REGION, POOL), CLIENT).decode(identity)["cognito:username"]


def flask_cognito_lib():
    import flask_cognito_lib
    from flask_cognito_lib.config import Config
    from flask_cognito_lib.services.token_svc import TokenService

    app = flask.Flask("app")
    app.config.update(
        SECRET_KEY="not-a-secret", AWS_REGION=REGION, AWS_COGNITO_USER_POOL_ID=POOL, AWS_COGNITO_USER_POOL_CLIENT_ID=CLIENT,
        AWS_COGNITO_DOMAIN="https://shop.auth." + REGION + ".amazoncognito.com",
    )
    flask_cognito_lib.CognitoAuth(app)
    with app.app_context():
        return TokenService(Config()).verify_access_token(access)["username"]


def aws_cognito_validation():
    import aws_cognito_validation as package

    pools = package.parse_allowed_pools(f"{POOL}:{REGION}")
    valid, fault, claims = package.validate_cognito_jwt(access, package.pool_for_issuer(package.get_unverified_issuer(access), pools))
    assert valid, fault
    return claims["username"]


def django_cognito_jwt2():
    django.conf.settings.configure()
    from django_cognito_jwt2.validator import TokenValidator

    return TokenValidator(REGION, POOL, CLIENT).validate(identity)["cognito:username"]


for package in (cognitojwt, chalice_cognito_auth, flask_cognito_lib, aws_cognito_validation, django_cognito_jwt2):
    username = package()
    assert username == "alice", (package.__name__, username)
    print(package.__name__, "verifies")
