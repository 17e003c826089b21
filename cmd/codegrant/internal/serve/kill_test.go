//go:build unix

package serve

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// What docs/gateway.md tells people with two gateways to write.
const (
	nginxUpstream = `upstream codegrant {
  server 10.1.0.1:8080 max_fails=1 fail_timeout=2s;
  server 10.1.0.2:8080 max_fails=1 fail_timeout=2s;
}`
	haproxyBackend = `backend codegrant
  option redispatch 1
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  server one 10.1.0.1:8080 check inter 1s fall 2
  server two 10.1.0.2:8080 check inter 1s fall 2`
)

// TestS651_OneOfTwoGatewaysIsKilled: behind each proxy, the other one answers all that
// was not under way.
func TestS651_OneOfTwoGatewaysIsKilled(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, proxy := range []struct{ program, lines, conf string }{
		{"nginx", nginxUpstream, `daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
${LINES}
  server {
    listen ${FRONT};
    location / { proxy_pass http://codegrant; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }
  }
}
`},
		{"haproxy", haproxyBackend, `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind ${FRONT}
  default_backend codegrant
${LINES}
`},
	} {
		t.Run(proxy.program, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(guide), proxy.lines) {
				t.Errorf("the guide does not have these lines:\n%s", proxy.lines)
			}
			program := testenv.Program(t, proxy.program)
			g := newGate(t, oneUpstream+"keys_file: keys\nsessions: database\ndatabase: sqlite:app.db\n")
			g.writeFile("keys", newSealingKey())
			front := strings.TrimPrefix(g.url, "http://")
			text, err := os.ReadFile(g.config)
			if err != nil {
				t.Fatal(err)
			}
			lines := proxy.lines
			var gates [2]*exec.Cmd
			for i, example := range []string{"10.1.0.1:8080", "10.1.0.2:8080"} {
				address := testenv.FreeAddress(t)
				lines = strings.Replace(lines, example, address, 1)
				one := *g
				one.config = filepath.Join(g.dir, address+".yaml")
				g.writeFile(address+".yaml", strings.Replace(string(text), "listen: "+front, "listen: "+address, 1))
				gates[i] = one.spawn(nil)
			}
			conf := filepath.Join(g.dir, "proxy.conf")
			g.writeFile("proxy.conf", strings.NewReplacer("${LINES}", lines, "${FRONT}", front).Replace(proxy.conf))
			command := exec.Command(program, "-db", "-f", conf)
			if proxy.program == "nginx" {
				command = exec.Command(program, "-p", g.dir, "-c", conf, "-e", "stderr")
			}
			command.Stderr = t.Output()
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = command.Process.Signal(syscall.SIGTERM)
				_ = command.Wait()
			}()
			g.until("the proxy answers", func() bool { return ask(http.DefaultClient, g.url+"/open", "GET") == "" })
			alice := codegranttest.NewBrowser(t)
			alice.SignIn(g.url+"/orders", "alice@example.com", codegranttest.Password)

			const visitors = 4
			var all sync.WaitGroup
			var answered, stop atomic.Int64
			var lost [visitors][]string
			for i := range visitors {
				all.Go(func() {
					client := &http.Client{Timeout: time.Minute, Jar: alice.Client.Jar, Transport: new(http.Transport)}
					defer client.CloseIdleConnections()
					for stop.Load() == 0 {
						if why := ask(client, g.url+"/orders", "alice@example.com"); why != "" {
							lost[i] = append(lost[i], why)
						}
						answered.Add(1)
					}
				})
			}
			more := func() {
				before := answered.Load()
				g.until("more is answered", func() bool { return answered.Load() >= before+100 })
			}
			more()
			if err := gates[0].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = gates[0].Wait()
			more()
			stop.Store(1)
			all.Wait()
			for _, why := range lost {
				if len(why) > 1 { // a visitor has one request under way
					t.Errorf("%d requests of one visitor were lost: %.500q", len(why), why)
				}
			}
			stopProcess(t, gates[1])
		})
	}
}
