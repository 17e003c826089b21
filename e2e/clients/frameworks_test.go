package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

// whoever says in a header of the test's own who is asking.
type whoever struct{}

func (whoever) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	if r.Header.Get("X-Test-Is-Alice") == "" {
		return nil, nil
	}
	return alice{}.Authenticate(r)
}
func (whoever) Challenge(error) string { return "" }

// identityNames are what the gateway sends, and two that frameworks know by themselves.
var identityNames = []string{
	"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Assertion", "X-Auth-Actor", "X-Auth-Machine", "X-Auth-Organization", "X-Auth-Organization-Role", "Remote-User", "X-Forwarded-User",
}

// hostile are lines and bodies that a client could add to a request, so that some server
// reads an identity, an address or a method in them.
func hostile() map[string]string {
	all := make(map[string]string)
	add := func(what string, spell func(name string) string) {
		var b strings.Builder
		for _, name := range identityNames {
			b.WriteString(spell(name) + ": mallory\r\n")
		}
		all[what] = b.String()
	}
	for _, separator := range "-_.'~!#$%&*+^`|" {
		s := string(separator)
		add("with "+s, func(name string) string { return strings.ReplaceAll(name, "-", s) })
		add("with one "+s, func(name string) string { return strings.Replace(name, "-", s, 1) })
		add("in capitals, with the last "+s, func(name string) string {
			i := strings.LastIndexByte(name, '-')
			return strings.ToUpper(name[:i] + s + name[i+1:])
		})
	}
	add("in small letters", strings.ToLower)
	add("as CGI has them", func(name string) string { return "HTTP_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_") })
	add("twice", func(name string) string { return name + ": mallory\r\n" + name })
	add("empty, and again", func(name string) string { return name + ":\r\n" + strings.ReplaceAll(name, "-", "_") })
	add("with a blank before the colon", func(name string) string { return name + " " })
	add("continued", func(name string) string { return "X-Mine: 1\r\n " + name })
	add("after a bare line feed", func(name string) string { return "X-Mine: 1\n" + name })
	add("named in Connection", func(name string) string { return "Connection: " + name + "\r\n" + name })
	all["addresses"] = "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6;host=mallory.example;proto=https\r\nX-Real-IP: 6.6.6.6\r\nX-Client-IP: 6.6.6.6\r\n"
	all["places"] = "X-Forwarded-Host: mallory.example\r\nX_Forwarded_Host: mallory.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 666\r\nX-Forwarded-Prefix: /mallory\r\nX-Original-URL: /mallory\r\nX-Rewrite-URL: /mallory\r\nX_Script_Name: /mallory\r\n"
	all["methods"] = "X-HTTP-Method-Override: DELETE\r\nX_HTTP_Method_Override: DELETE\r\nX-Method-Override: DELETE\r\n"
	return all
}

// TestS450_FrameworksReadTheGatewaysWord: whatever a client adds to a request, what Django,
// Flask, Express and Spring Boot read of who is asking, and from where, is what they read
// without.
func TestS450_FrameworksReadTheGatewaysWord(t *testing.T) {
	for _, framework := range []struct {
		name  string
		start func(t *testing.T, address string) *exec.Cmd
		large bool
	}{
		{"Django", func(t *testing.T, address string) *exec.Cmd {
			bin := testenv.Python(t, "Django==5.2.19", "gunicorn==27.0.1")
			return exec.Command(filepath.Join(bin, "gunicorn"), "--bind", address, "--chdir", "frameworks", "--log-level", "error", "--forwarded-allow-ips", "127.0.0.1",
				"--header-map", "dangerous", "django_app") // which folds, as servers used to
		}, false},
		{"Express", func(t *testing.T, address string) *exec.Cmd {
			node, folder := testenv.Node(t, "frameworks")
			_, port, _ := net.SplitHostPort(address)
			command := exec.Command(node, filepath.Join(folder, "express.mjs"))
			command.Env = append(os.Environ(), "PORT="+port)
			return command
		}, false},
		{"Flask", func(t *testing.T, address string) *exec.Cmd {
			bin := testenv.Python(t, "Flask==3.1.3", "waitress==3.0.2")
			command := exec.Command(filepath.Join(bin, "waitress-serve"), "--listen", address, "flask_app:application")
			command.Dir = "frameworks"
			return command
		}, true},
		{"Spring Boot", func(t *testing.T, address string) *exec.Cmd {
			java, libraries := testenv.Java(t, "frameworks/pom.xml")
			host, port, _ := net.SplitHostPort(address)
			return exec.Command(java, "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libraries, "*"), "frameworks/Tell.java",
				"--server.address="+host, "--server.port="+port, "--server.forward-headers-strategy=native", "--logging.level.root=error", "--spring.main.banner-mode=off")
		}, true},
	} {
		t.Run(framework.name, func(t *testing.T) {
			if framework.large && os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
				t.Log("only with CODEGRANT_TEST_CLIENTS=all")
				return
			}
			t.Parallel()
			address := testenv.FreeAddress(t)
			command := framework.start(t, address)
			ctx, cancel := context.WithCancel(context.Background())
			own := exec.CommandContext(ctx, command.Path, command.Args[1:]...)
			own.Dir, own.Env, own.Stderr = command.Dir, command.Env, t.Output()
			if err := own.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cancel(); _ = own.Wait() })
			site := inFront(t, "http://"+address)
			for deadline := time.Now().Add(2 * time.Minute); ; {
				if status, _, err := site.tell("/open", ""); err == nil && status == http.StatusOK {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("it does not answer within two minutes")
				}
				time.Sleep(50 * time.Millisecond)
			}
			for who, head := range map[string]string{"nobody": "", "alice": "X-Test-Is-Alice: 1\r\n"} {
				status, want, err := site.tell("/open", head)
				if err != nil || status != http.StatusOK || want["X-Auth-Email"] != map[string]string{"alice": "alice@example.com"}[who] {
					t.Fatalf("%s, without anything else: %d, %v, %v", who, status, want, err)
				}
				passed := 0
				for what, lines := range hostile() {
					status, got, err := site.tell("/open", head+lines)
					switch {
					case err != nil:
						t.Errorf("%s, %s: %v", who, what, err)
					case status != http.StatusOK && (status < 400 || status >= 500):
						t.Errorf("%s, %s: %d", who, what, status)
					case status == http.StatusOK && !maps.Equal(got, want):
						t.Errorf("%s, %s: it reads %v, and without it %v", who, what, got, want)
					case status == http.StatusOK:
						passed++
					}
				}
				if passed < 40 {
					t.Errorf("%s: %d of %d requests passed: the test shows little", who, passed, len(hostile()))
				}
			}
		})
	}
}

// front is a gateway in front of an application.
type front struct{ address string }

func inFront(t *testing.T, upstream string) front {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	auth, err := codegrant.New(codegrant.Config{
		Pool:           cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		Authenticators: []codegrant.Authenticator{whoever{}}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Auth: auth}}, Logger: log,
		Routes: []gateway.Route{{Path: "/open", Public: true, Upstream: &gateway.Upstream{URLs: []string{upstream}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return front{strings.TrimPrefix(server.URL, "http://")}
}

// tell sends a request with lines as they are, once as a GET and once as a POST with
// trailers that have the names, and returns what the application says of the last.
func (f front) tell(path, lines string) (status int, read map[string]string, err error) {
	target := path + "?" + url.Values{"name": identityNames}.Encode()
	status, read, err = f.send("GET " + target + " HTTP/1.1\r\nHost: " + f.address + "\r\n" + lines + "\r\n")
	if err != nil || status != http.StatusOK || lines == "" || !strings.Contains(lines, "mallory") {
		return status, read, err
	}
	trailers := strings.Join(slices.DeleteFunc(strings.SplitAfter(lines, "\r\n"), func(line string) bool { return !strings.Contains(line, "mallory") }), "")
	own, _, _ := strings.Cut(lines, "\r\n")
	if !strings.HasPrefix(own, "X-Test-") {
		own = "X-Mine: 1"
	}
	status, after, err := f.send("POST " + target + " HTTP/1.1\r\nHost: " + f.address + "\r\n" + own + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + trailers + "\r\n")
	if err == nil && status == http.StatusOK {
		if after["method"] = "GET"; !maps.Equal(after, read) {
			err = fmt.Errorf("with trailers it reads %v, and without %v", after, read)
		}
	}
	return http.StatusOK, read, err
}

func (f front) send(text string) (status int, read map[string]string, err error) {
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, nil, nil
	}
	return response.StatusCode, read, json.NewDecoder(response.Body).Decode(&read)
}
