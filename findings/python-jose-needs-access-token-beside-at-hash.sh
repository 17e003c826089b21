#!/usr/bin/env bash
# One would guess: jwt.decode(token, key, algorithms, audience, issuer) of python-jose takes
# every valid ID token of a user pool. at_hash is optional in the code flow (OpenID Connect
# Core 1.0, section 3.1.3.6), so that a decoder without an access token leaves it alone.
#
# What happens: an ID token that has at_hash is refused with JWTClaimsError unless the access
# token is given as well, or options={"verify_at_hash": False}. The same call takes the same
# token without at_hash.
#
# Who meets it: applications that were written with ID tokens of the user pool's API (SRP or
# password), which have no at_hash, and then move to the hosted sign-in pages, whose ID
# tokens have it.
#
# python-jose 3.5.0. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-jose==3.5.0 cryptography
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep -iE '^(python-jose|cryptography) '

cat >decode.py <<'PY'
import base64, hashlib, time
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwt

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
access = jwt.encode({"sub": "alice", "token_use": "access"}, private, "RS256")
half = base64.urlsafe_b64encode(hashlib.sha256(access.encode()).digest()[:16]).rstrip(b"=").decode()
claims = {"iss": "https://issuer.example", "aud": "client", "sub": "alice", "token_use": "id", "exp": int(time.time()) + 60}
seen = []
for what, claims in (("without at_hash", claims), ("with at_hash", claims | {"at_hash": half})):
    token = jwt.encode(claims, private, "RS256")
    for how, more in (("alone", {}), ("with the access token", {"access_token": access})):
        try:
            jwt.decode(token, public, ["RS256"], audience="client", issuer="https://issuer.example", **more)
            answer = "accepted"
        except Exception as fault:
            answer = type(fault).__name__ + ": " + str(fault)
        print(what + ", " + how + ": " + answer)
        seen.append(answer == "accepted")
raise SystemExit(0 if seen == [True, True, False, True] else 1)
PY
venv/bin/python decode.py
