#!/usr/bin/env bash
# One would guess: an emulator of Cognito gives users in pages, as ListUsers does: no more
# than Limit, and a PaginationToken where there are others.
#
# What happens: cognito-local answers with every user, whatever Limit says, and never with
# a PaginationToken.
#
# Who meets it: whoever tests a loop over pages against it. A loop that forgets the token
# passes there, and reads the first 60 users of a real pool.
#
# cognito-local 5.3.0, boto3 1.44.8. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap '[ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"

npm install --silent --no-audit --no-fund --prefix . cognito-local@5.3.0 >/dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check boto3==1.44.8
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PORT=$port HOST=127.0.0.1 node_modules/.bin/cognito-local >log 2>&1 &
pid=$!
cat >pages.py <<'PY'
import sys, time
import boto3, botocore
pool = boto3.client("cognito-idp", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}", region_name="eu-west-1",
                    aws_access_key_id="a", aws_secret_access_key="b")
for _ in range(100):
    try:
        id = pool.create_user_pool(PoolName="one")["UserPool"]["Id"]
        break
    except botocore.exceptions.EndpointConnectionError:
        time.sleep(0.2)
for n in range(5):
    pool.admin_create_user(UserPoolId=id, Username=f"user{n}@example.com", MessageAction="SUPPRESS")
page = pool.list_users(UserPoolId=id, Limit=2)
print("boto3", boto3.__version__)
print("asked for 2 of 5 users, got", len(page["Users"]), "and", "a" if "PaginationToken" in page else "no", "token")
sys.exit(0 if len(page["Users"]) == 5 and "PaginationToken" not in page else "ListUsers keeps to Limit now")
PY
echo "cognito-local $(node -p 'require("./node_modules/cognito-local/package.json").version')"
venv/bin/python pages.py "$port"
