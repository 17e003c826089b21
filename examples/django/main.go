// Command django runs a Django REST API that signs people in with the Python package
// cognito_code_grant, and a Go backend with Codegrant beside it: one user pool, one
// database, one cookie domain, one sign-in.
//
//	go run ./django
//
// It needs python3 with venv, and lets pip install requirements.txt the first time. The
// pool is a local one. The certificate is made at the start, so that browsers warn of it.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const domain = "platform.localhost" // browsers find its hosts on this machine

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "where the platform listens")
	folder := flag.String("folder", "django", "folder of app.py")
	python := flag.String("python", "", "interpreter that has requirements.txt; made in a cache where empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *folder, *python); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, folder, python string) error {
	data, err := os.MkdirTemp("", "codegrant-django-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	if python == "" {
		if python, err = install(ctx, filepath.Join(folder, "requirements.txt")); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	goURL, djangoURL := "https://go."+domain+":"+port, "https://django."+domain+":"+port

	pool, poolURL, err := startPool(goURL, djangoURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	issuer := pool.Clients()[0].Issuer

	file := filepath.Join(data, "platform.db")
	database, _ := json.Marshal(map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": map[string]any{"timeout": 10}})
	django := app{python, filepath.Join(folder, "app.py"), []string{
		"PATH=" + os.Getenv("PATH"), "DATABASE=" + string(database),
		"AUTH_COGNITO_CLIENT_ID=" + localpool.DemoPublicID, "AUTH_COGNITO_CODE_GRANT_URL=" + poolURL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL=" + issuer + "/.well-known/jwks.json", "SHARED_TOKENS=True", "SHARED_TOKENS_DOMAIN=." + domain,
		"SIBLING_URL=" + goURL + "/", "SIGN_IN_URL=" + poolURL + "/oauth2/authorize?" + url.Values{
			"response_type": {"code"}, "client_id": {localpool.DemoPublicID}, "scope": {"openid email profile"},
			"redirect_uri": {djangoURL + "/auth/login/"}, "state": {djangoURL + "/"},
		}.Encode(),
	}}
	if err := django.command(ctx, "migrate", "--verbosity", "0").Run(); err != nil {
		return fmt.Errorf("migrate Django's tables: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	defer db.Close()
	goBackend, err := backend(ctx, db, poolURL, issuer, goURL, djangoURL)
	if err != nil {
		return err
	}
	djangoBackend, end, err := django.serve(ctx)
	if err != nil {
		return err
	}
	defer end()

	hosts := map[string]http.Handler{"go." + domain + ":" + port: goBackend, "django." + domain + ":" + port: djangoBackend}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := hosts[r.Host]; ok {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	defer server.Close()
	fmt.Printf("Django   %s/\nGo       %s/\n\nSign in as alice@example.com or bob@example.com, password Passw0rd!\n", djangoURL, goURL)
	<-ctx.Done()
	return nil
}

// install makes a virtual environment in the user's cache, once.
func install(ctx context.Context, requirements string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "codegrant-example-django")
	python := filepath.Join(folder, "bin", "python")
	for _, command := range [][]string{{"python3", "-m", "venv", folder}, {python, "-m", "pip", "install", "--quiet", "-r", requirements}} {
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
		}
	}
	return python, nil
}

// startPool runs a user pool that knows both backends. The package has no way to send a
// client secret, and drops rotated refresh tokens: its app client has neither.
func startPool(goURL, djangoURL string) (*localpool.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	base := "http://" + listener.Addr().String()
	pool, err := localpool.New(localpool.Config{Seed: localpool.DefaultSeed(goURL), BaseURL: base})
	if err != nil {
		return nil, "", err
	}
	go func() { _ = http.Serve(listener, pool) }()
	for _, callback := range []string{goURL + "/auth/login/", djangoURL + "/auth/login/"} {
		for _, signOut := range []string{goURL + "/", goURL + "/auth/logout/"} {
			if err := pool.RegisterURLs(localpool.DemoPublicID, callback, signOut); err != nil {
				return nil, "", err
			}
		}
	}
	return pool, base, nil
}

// backend is the Go one. Its people and groups are Django's.
func backend(ctx context.Context, db *sql.DB, poolURL, issuer, goURL, djangoURL string) (http.Handler, error) {
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite, Django: &sqlreplica.Django{AdoptVerifiedEmail: true}})
	if err != nil {
		return nil, err
	}
	if err := users.Migrate(ctx); err != nil {
		return nil, err
	}
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: localpool.DemoPoolID, Domain: poolURL, Issuer: issuer, ClientID: localpool.DemoPublicID},
		BaseURL: goURL, CallbackURL: goURL + "/auth/login/", SignOutURLs: []string{goURL + "/", goURL + "/auth/logout/"},
		AllowedReturnOrigins: []string{djangoURL}, TrustedOrigins: []string{djangoURL},
		InsecureSharedTokensDomain: "." + domain, MigrationLinks: true,
		Replica: users, Groups: codegrant.GroupsOfBoth,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/api/me", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"at": "Go", "id": id.UserID, "email": id.Email, "groups": slices.Sorted(slices.Values(id.Groups))})
	})))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>Go</title><h1>Go</h1><pre id=me>…</pre>
<p><a href="/auth/login/">Sign in</a> · <a href="/auth/logout/?state=%[1]s/">Sign out</a> · <a href="%[1]s/">The Django backend</a>
<script>fetch("/api/me").then(async r => me.textContent = r.status + " " + await r.text())</script>`, djangoURL)
	})
	return mux, nil
}

// app is the Django application.
type app struct {
	python, file string
	env          []string
}

func (a app) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, a.python, append([]string{a.file}, args...)...)
	c.Env, c.Stderr = a.env, os.Stderr
	return c
}

// serve runs it until end is called.
func (a app) serve(ctx context.Context) (_ http.Handler, end func(), err error) {
	c := a.command(ctx, "serve")
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	end = func() { stdin.Close(); _ = c.Wait() }
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		end()
		return nil, nil, errors.New("the Django site did not say where it listens")
	}
	target := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))}
	return &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host // the package makes redirect_uri of it
	}}, end, nil
}
