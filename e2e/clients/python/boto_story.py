"""boto3, as a backend in Python has it."""

import base64
import hashlib
import hmac
import json
import os

import boto3

s = json.loads(os.environ["SETTINGS"])
client = boto3.client("cognito-idp", region_name=s["region"], endpoint_url=s["url"], aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="none")
errors = client.exceptions


def refused(error, **call):
    operation = call.pop("operation")
    try:
        getattr(client, operation)(**call)
    except error as e:
        return e.response["Error"]["Message"]
    raise AssertionError(f"{operation} was not refused")


def secret_hash(username):
    return base64.b64encode(hmac.new(s["secret"].encode(), (username + s["client"]).encode(), hashlib.sha256).digest()).decode()


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def auth(password, **more):
    return {"ClientId": s["client"], "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": s["username"], "PASSWORD": password, "SECRET_HASH": secret_hash(s["username"]), **more}}


assert refused(errors.NotAuthorizedException, operation="initiate_auth", **auth("Wr0ng-Passw0rd")) == "Incorrect username or password."
assert refused(errors.NotAuthorizedException, operation="initiate_auth", **auth(s["password"], SECRET_HASH="made-up")).startswith("Unable to verify secret hash")
tokens = client.initiate_auth(**auth(s["password"]))["AuthenticationResult"]
assert claims(tokens["AccessToken"])["cognito:groups"] == ["admins", "analysts"]
assert claims(tokens["IdToken"])["email_verified"] is True
me = client.get_user(AccessToken=tokens["AccessToken"])
assert {a["Name"]: a["Value"] for a in me["UserAttributes"]}["email"] == s["email"]

again = client.initiate_auth(
    ClientId=s["client"], AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"], "SECRET_HASH": secret_hash(s["username"])}
)["AuthenticationResult"]
assert "RefreshToken" not in again and again["AccessToken"] != tokens["AccessToken"]

names = [f"page{i}" for i in range(7)]
for name in names:
    client.admin_create_user(UserPoolId=s["pool"], Username=name, MessageAction="SUPPRESS", UserAttributes=[{"Name": "email", "Value": f"{name}@example.com"}])
pages = client.get_paginator("list_users").paginate(UserPoolId=s["pool"], Filter='email ^= "page"', PaginationConfig={"PageSize": 3})
assert sorted(u["Username"] for page in pages for u in page["Users"]) == names
user = client.admin_get_user(UserPoolId=s["pool"], Username="page0")
assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD" and user["UserCreateDate"].tzinfo
assert refused(errors.UserNotFoundException, operation="admin_get_user", UserPoolId=s["pool"], Username="nobody") == "User does not exist."

client.sign_up(ClientId=s["client"], SecretHash=secret_hash("carol"), Username="carol", Password=s["password"], UserAttributes=[{"Name": "email", "Value": "carol@example.com"}])
refused(errors.CodeMismatchException, operation="confirm_sign_up", ClientId=s["client"], SecretHash=secret_hash("carol"), Username="carol", ConfirmationCode="000000")

made = client.create_user_pool(PoolName="made", Policies={"PasswordPolicy": {"MinimumLength": 12, "RequireNumbers": True}}, AutoVerifiedAttributes=["email"], UserPoolTags={"team": "orders"})["UserPool"]
read = client.describe_user_pool(UserPoolId=made["Id"])["UserPool"]
assert read["Policies"]["PasswordPolicy"]["MinimumLength"] == 12 and read["AutoVerifiedAttributes"] == ["email"] and read["UserPoolTags"] == {"team": "orders"}
client.delete_user_pool(UserPoolId=made["Id"])

client.revoke_token(Token=tokens["RefreshToken"], ClientId=s["client"], ClientSecret=s["secret"])
assert refused(errors.NotAuthorizedException, operation="get_user", AccessToken=tokens["AccessToken"]) == "Access Token has been revoked"
refused(
    errors.NotAuthorizedException, operation="initiate_auth", ClientId=s["client"], AuthFlow="REFRESH_TOKEN_AUTH",
    AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"], "SECRET_HASH": secret_hash(s["username"])},
)
print("told")
