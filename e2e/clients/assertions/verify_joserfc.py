# joserfc, on an assertion of the gateway's, as docs/assertions.md shows.
import json
import os
import urllib.request

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

keys = KeySet.import_key_set(json.load(urllib.request.urlopen(os.environ["JWKS_URL"])))
claims = jwt.JWTClaimsRegistry(iss={"essential": True, "value": "https://app.example.com"},
                               aud={"essential": True, "value": os.environ["AUDIENCE"]}, exp={"essential": True})
try:
    token = jwt.decode(os.environ["TOKEN"], keys, algorithms=[os.environ["ALGORITHM"]])
    claims.validate(token.claims)
    print("accepted", token.claims["email"], ",".join(token.claims["groups"]))
except (JoseError, ValueError) as e:
    print("refused", type(e).__name__)
