package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// What runs beside the package, pinned: the newest Django that runs on Python 3.11, and
// the oldest that is still in wide use.
var (
	packageCommon = []string{"python-jose==3.5.0", "requests==2.34.2", "boto3==1.44.8", "cryptography==50.0.2", "psycopg2-binary==2.9.13"}
	packageNew    = append([]string{"cognito_code_grant==1.0.30", "Django==5.2.19", "djangorestframework==3.18.3"}, packageCommon...)
	packageOld    = append([]string{"cognito_code_grant==1.0.30", "Django==4.2.29", "djangorestframework==3.16.1"}, packageCommon...)
	packageBefore = append([]string{"cognito_code_grant==1.0.25", "Django==4.2.29", "djangorestframework==3.16.1"}, packageCommon...)
)

const (
	otherURL   = "https://other.example.test" // of nobody in particular
	djangoHost = "django.example.test"
)

// packaged is the released package on its own: examples/django, on a database of its own,
// behind a TLS proxy, with a pool.
type packaged struct {
	t, whole *testing.T // the row, and what all rows of this platform are part of
	pool     *codegranttest.Pool
	python   string
	env      []string
	database map[string]any
	dialect  sqlreplica.Dialect
	db       *sql.DB
	dbURL    string           // as codegrant's commands take it
	chromium *browser.Browser // of all windows
	tls      *httptest.Server

	mu    sync.Mutex
	hosts map[string]http.Handler
	set   map[string][]string // the cookies that hosts set last
}

// startPackage runs it. Settings replace those of app.py's environment; an empty one is
// not set.
func startPackage(t *testing.T, packages []string, dialect sqlreplica.Dialect, settings map[string]string) *packaged {
	t.Helper()
	p := &packaged{
		t: t, whole: t, pool: codegranttest.NewPool(t, nil), python: filepath.Join(testenv.Python(t, packages...), "python"),
		dialect: dialect, hosts: make(map[string]http.Handler), set: make(map[string][]string),
	}
	p.openDatabase()
	for _, base := range []string{goURL, djangoURL} {
		for _, signOut := range []string{base + "/", base + "/auth/logout/"} {
			if err := p.pool.RegisterURLs(localpool.DemoPublicID, base+"/auth/login/", signOut); err != nil {
				t.Fatal(err)
			}
		}
	}
	database, err := json.Marshal(p.database)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"SIGN_IN_URL": p.authorizeURL(djangoURL+"/auth/login/", djangoURL+"/"), "SIBLING_URL": goURL + "/",
		"PATH": os.Getenv("PATH"), "DATABASE": string(database), "SHARED_TOKENS": "True", "SHARED_TOKENS_DOMAIN": "." + parent,
		"AUTH_COGNITO_CLIENT_ID": localpool.DemoPublicID, "AUTH_COGNITO_CODE_GRANT_URL": p.pool.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL": p.issuer() + "/.well-known/jwks.json",
	}
	for name, value := range settings {
		env[name] = value
	}
	for name, value := range env {
		if value != "" {
			p.env = append(p.env, name+"="+value)
		}
	}
	p.manage("migrate", "--verbosity", "0")
	p.hosts[djangoHost] = p.serve()
	p.hosts["other.example.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "other") })
	p.tls = httptest.NewTLSServer(http.HandlerFunc(p.proxy))
	t.Cleanup(p.tls.Close)
	return p
}

func (p *packaged) issuer() string { return p.pool.Clients()[0].Issuer }

func (p *packaged) openDatabase() {
	t := p.t
	if p.dialect == sqlreplica.SQLite {
		file := filepath.Join(t.TempDir(), "platform.db")
		db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		p.db, p.dbURL = db, "sqlite:"+file
		p.database = map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": map[string]any{"timeout": 10}}
		return
	}
	server := testenv.Postgres(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	name := fmt.Sprintf("package_%d", time.Now().UnixNano())
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	if p.db, err = sql.Open("pgx", u.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.db.Close() })
	password, _ := u.User.Password()
	host := u.Hostname()
	if socket := u.Query().Get("host"); socket != "" {
		host = socket
	}
	p.dbURL = u.String()
	p.database = map[string]any{
		"ENGINE": "django.db.backends.postgresql", "NAME": name, "HOST": host, "PORT": u.Port(), "USER": u.User.Username(), "PASSWORD": password,
	}
}

// manage runs a command of Django's.
func (p *packaged) manage(args ...string) {
	p.t.Helper()
	c := exec.CommandContext(p.t.Context(), p.python, append([]string{"../examples/django/app.py"}, args...)...)
	c.Env = p.env
	if output, err := c.CombinedOutput(); err != nil {
		p.t.Fatalf("django %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func (p *packaged) serve() http.Handler {
	t := p.t
	c := exec.Command(p.python, "../examples/django/app.py", "serve")
	c.Env, c.Stderr = p.env, t.Output()
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = c.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("Django did not say where it listens: %v", err)
	}
	target := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-Proto"] = r.In.Header["X-Forwarded-Proto"] // for a row that tries it
	}}
}

// proxy is the one way in. Paths below /-/ are the test's own: they look at cookies and
// change them, as time and browsers do.
func (p *packaged) proxy(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/-/cookies":
		fmt.Fprint(w, "cookies: "+r.Header.Get("Cookie"))
		return
	case "/-/set": // name=value of the shared domain; an empty value drops it
		for name, values := range r.URL.Query() {
			c := &http.Cookie{Name: name, Value: values[0], Domain: parent, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 3600}
			if values[0] == "" {
				c.MaxAge = -1
			}
			http.SetCookie(w, c)
		}
		fmt.Fprint(w, "cookies set")
		return
	case "/-/page": // with a link and a form to somewhere
		to := r.URL.Query().Get("to")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><a id=link href="%[1]s">link</a><form method=post action="%[1]s"><button id=post>post</button></form>`, to)
		return
	}
	p.mu.Lock()
	h := p.hosts[r.Host]
	p.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h.ServeHTTP(&seesCookies{w, p, r.Host}, r)
}

// seesCookies notes the cookies of an answer.
type seesCookies struct {
	http.ResponseWriter
	p    *packaged
	host string
}

func (s *seesCookies) WriteHeader(status int) {
	if set := s.Header()["Set-Cookie"]; len(set) > 0 {
		s.p.mu.Lock()
		s.p.set[s.host] = slices.Clone(set)
		s.p.mu.Unlock()
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *seesCookies) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// lastSet is the line of a cookie that a host set last.
func (p *packaged) lastSet(host, name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.set[host] {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	return ""
}

// beside adds a Go backend as one that was moved is configured: by the package's names.
func (p *packaged) beside(settings map[string]string, change func(*codegrant.Config, *sqlreplica.Config)) *sqlreplica.Store {
	t := p.t
	t.Helper()
	for name, value := range map[string]string{
		"AUTH_COGNITO_CLIENT_ID": localpool.DemoPublicID, "AUTH_COGNITO_CODE_GRANT_URL": p.pool.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL": p.issuer() + "/.well-known/jwks.json", "CODEGRANT_CLIENT_SECRET": "",
		"SITE_LOGIN_URL": goURL + "/auth/login/", "SHARED_TOKENS": "True", "SHARED_TOKENS_DOMAIN": "." + parent,
		"CODEGRANT_RETURN_ORIGINS": djangoURL, "CODEGRANT_TRUSTED_ORIGINS": djangoURL, "CODEGRANT_MIGRATION_LINKS": "true",
		"CODEGRANT_SIGN_OUT_URLS": goURL + "/," + goURL + "/auth/logout/", "CODEGRANT_GROUPS": "both", "CODEGRANT_USER_MAX_AGE": "1s",
	} {
		t.Setenv(name, value)
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	store := sqlreplica.Config{Dialect: p.dialect, Django: &sqlreplica.Django{AdoptVerifiedEmail: true}}
	config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	if change != nil {
		change(&config, &store)
	}
	users, err := sqlreplica.New(p.db, store)
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	config.Replica = users
	auth, err := codegrant.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/api/me", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		_ = json.NewEncoder(w).Encode(map[string]any{"at": "Go", "id": id.UserID, "email": id.Email, "groups": slices.Sorted(slices.Values(id.Groups))})
	})))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>Go</title><h1>Go</h1><pre id=me>…</pre><script>fetch("/api/me").then(async r => me.textContent = r.status + " " + await r.text())</script>`)
	})
	p.mu.Lock()
	p.hosts["go.example.test"] = mux
	p.mu.Unlock()
	return users
}

// authorizeURL is the link of a front end of the package.
func (p *packaged) authorizeURL(callback, state string) string {
	return p.pool.URL + "/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {localpool.DemoPublicID}, "scope": {"openid email profile"}, "redirect_uri": {callback}, "state": {state},
	}.Encode()
}

// client is a browser without a window, for what needs none.
func (p *packaged) client() *codegranttest.Browser {
	b := codegranttest.NewBrowser(p.t)
	b.Client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasPrefix(address, "127.0.0.1:") {
				address = p.tls.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	p.t.Cleanup(b.Client.CloseIdleConnections)
	return b
}

// signInAtDjango follows a front end's link.
func (p *packaged) signInAtDjango(b *codegranttest.Browser, email string) *codegranttest.Page {
	return b.SignIn(p.authorizeURL(djangoURL+"/auth/login/", djangoURL+"/"), email, codegranttest.Password)
}

// ask sends a request to a backend as a script of its own front end does.
func (p *packaged) ask(b *codegranttest.Browser, method, target string, header ...string) (int, http.Header, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	client := *b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

// row reads one row of the database.
func (p *packaged) row(query string, into ...any) {
	p.t.Helper()
	if err := p.db.QueryRowContext(p.t.Context(), query).Scan(into...); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

func (p *packaged) exec(query string) {
	p.t.Helper()
	if _, err := p.db.ExecContext(p.t.Context(), query); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

func (p *packaged) groupsOf(email string) string {
	p.t.Helper()
	rows, err := p.db.QueryContext(p.t.Context(), `SELECT g.name FROM auth_user_groups ug JOIN auth_group g ON g.id = ug.group_id JOIN auth_user u ON u.id = ug.user_id WHERE u.email = '`+email+`' ORDER BY g.name`)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			p.t.Fatal(err)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// window is a Chromium that finds the platform.
type window struct {
	*browser.Browser
	p *packaged
}

func (p *packaged) window(t *testing.T) *window {
	if p.chromium == nil {
		p.chromium = browser.New(p.whole, map[string]any{
			"host-resolver-rules": "MAP *." + parent + " " + p.tls.Listener.Addr().String(), "ignore-certificate-errors": true,
		})
	}
	return &window{p.chromium.Profile(t), p}
}

var answered = regexp.MustCompile(`^(\d{3}) (?s:(.*))$`)

// me is what a page of a backend is told about who is signed in.
func (w *window) me(base string) (status string, who struct {
	ID     int64    `json:"id"`
	Email  string   `json:"email"`
	Groups []string `json:"groups"`
}) {
	w.p.t.Helper()
	w.Open(base + "/")
	deadline := time.Now().Add(time.Minute)
	for {
		if found := answered.FindStringSubmatch(w.Text("#me")); found != nil {
			_ = json.Unmarshal([]byte(found[2]), &who)
			return found[1], who
		}
		if time.Now().After(deadline) {
			w.p.t.Fatalf("%s does not say who is signed in", base)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// is checks who both backends, the first one first, say is signed in; "" is nobody.
func (w *window) is(what, email, first string) {
	w.p.t.Helper()
	bases := []string{goURL, djangoURL}
	if first == djangoURL {
		slices.Reverse(bases)
	}
	var ids []int64
	for _, base := range bases {
		status, who := w.me(base)
		want := "200"
		if email == "" {
			if want = "401"; base == djangoURL {
				want = "403" // the package's authenticator has no challenge
			}
		}
		if status != want || who.Email != email {
			w.p.t.Errorf("%s: %s says %s, %+v; want %s and %q", what, base, status, who, want, email)
		}
		ids = append(ids, who.ID)
	}
	if ids[0] != ids[1] {
		w.p.t.Errorf("%s: the account is %d at %s and %d at %s", what, ids[0], bases[0], ids[1], bases[1])
	}
}

func (w *window) login(email string) {
	w.Fill("#username", email)
	w.Fill("#password", codegranttest.Password)
	w.Click("main button")
}

// set changes cookies of the shared domain; an empty value drops one.
func (w *window) set(pairs ...string) {
	w.p.t.Helper()
	query := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	w.Open(otherURL + "/-/set?" + query.Encode())
	w.See("cookies set")
}

func (w *window) cookie(name string) string {
	w.p.t.Helper()
	w.Open(otherURL + "/-/cookies")
	for c := range strings.SplitSeq(strings.TrimPrefix(w.Text("body"), "cookies: "), "; ") {
		if value, ok := strings.CutPrefix(c, name+"="); ok {
			return value
		}
	}
	return ""
}
