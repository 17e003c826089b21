#!/usr/bin/env bash
# One would guess: Webhook.sign(msg_id, timestamp, data) of standardwebhooks for Python signs
# the moment that the datetime stands for, whatever its time zone. timestamp.timestamp()
# is the webhook-timestamp to send beside it.
#
# What happens: sign takes the digits of the datetime and calls them UTC. In a zone that
# is an hour ahead, the signature is of a time one hour later than the header says, and every
# receiver answers "No matching signature found". The same moment in UTC passes. A datetime
# without a zone is local time to timestamp(), and UTC to sign.
#
# Who meets it: people who send webhooks from Python with datetimes in local time. It works on
# machines whose time is UTC, as in most containers, and fails on a developer's machine, or
# where a zone such as the customer's is attached. Convert first: timestamp.astimezone(utc).
# svix hands its own sign and verify on to this package.
#
# standardwebhooks 1.1.0 and svix 2.9.1 from the Python package index. Seen on 2026-11-30.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0 svix==2.9.1
venv/bin/pip list 2>/dev/null | grep -iE '^(standardwebhooks|svix) '

TZ=UTC venv/bin/python - <<'PY'
import base64, sys
from datetime import datetime, timedelta, timezone
import standardwebhooks, svix.webhooks

secret = "whsec_" + base64.b64encode(b"a key of a test, 32 bytes long..").decode()
body = '{"type":"user.created"}'
moment = datetime.now(timezone.utc)
same = moment.astimezone(timezone(timedelta(hours=1)))
assert moment == same and moment.timestamp() == same.timestamp()

def verdict(package, at):
    hook = package.Webhook(secret)
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": hook.sign("msg_1", at, body),
    }
    try:
        hook.verify(body, headers)
        return "passes"
    except package.WebhookVerificationError as e:
        return str(e)

seen = [(name, verdict(package, moment), verdict(package, same), verdict(package, same.astimezone(timezone.utc)))
        for name, package in (("standardwebhooks", standardwebhooks.webhooks), ("svix", svix.webhooks))]
for name, utc, ahead, converted in seen:
    print(f"{name}: in UTC: {utc}; the same moment, an hour ahead: {ahead}; converted: {converted}")
if any(rest != ("passes", "No matching signature found", "passes") for rest in (one[1:] for one in seen)):
    sys.exit("this has changed")
print("as described")
PY
