//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// nginxConf asks a question about each request, and sends it on where the answer allows.
// Both gateways get the same.
const nginxConf = `daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  large_client_header_buffers 8 32k; proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k;
  keepalive_requests 10000000;
  upstream gateway { server GATEWAY; keepalive 32; keepalive_requests 10000000; }
  upstream app { server UPSTREAM; keepalive 32; keepalive_requests 10000000; }
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {
    listen ADDRESS;
    location = /question {
      internal;
      proxy_pass http://gatewayQUESTION;
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }
    location / { auth_request /question; proxy_pass http://app; }
  }
}
`

// startNginx has nginx ask a gateway.
func (f *field) startNginx(ctx context.Context, dir, gateway, question string) (*process, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, fmt.Errorf("%w; install nginx, or leave it out with -peer=false", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	dir, err = os.MkdirTemp(dir, "nginx")
	if err != nil {
		return nil, err
	}
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	conf := strings.NewReplacer("GATEWAY", host(gateway), "UPSTREAM", host(f.upstream.url), "ADDRESS", address, "QUESTION", question).Replace(nginxConf)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	p, _, err := start(ctx, "nginx", program, log, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	f.started = append(f.started, p.stop)
	p.url = "http://" + address
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := wire.Dial(ctx, address)
		if err == nil {
			conn.Close()
			return p, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("nginx does not listen; it says: %s", said)
		}
	}
}

// rate is a side by the time that passes, of which all processes of the machine have some.
func rate(s side) side {
	s.byTheClock = true
	return s
}
