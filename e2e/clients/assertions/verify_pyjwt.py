# PyJWT, on an assertion of the gateway's, as docs/assertions.md shows.
import os

import jwt

token = os.environ["TOKEN"]
keys = jwt.PyJWKClient(os.environ["JWKS_URL"])
try:
    who = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=[os.environ["ALGORITHM"]],
                     issuer="https://app.example.com", audience=os.environ["AUDIENCE"])
    print("accepted", who["email"], ",".join(who["groups"]))
except jwt.PyJWTError as e:
    print("refused", type(e).__name__)
