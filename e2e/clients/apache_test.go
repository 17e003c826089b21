package clients

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// apacheFile is a site with a page for who signs in, one for admins, and one for nobody.
var apacheFile = template.Must(template.New("").Parse(`
ServerRoot {{.Folder}}
ServerName localhost
Listen {{.Listen}}
PidFile {{.Folder}}/pid
ErrorLog /dev/stderr
LogLevel warn
User nobody
Group nogroup
{{- range .Modules}}
LoadModule {{.}}_module {{$.Library}}/mod_{{.}}.so
{{- end}}
DocumentRoot {{.Folder}}/www
DirectoryIndex index.html
<Directory />
	AllowOverride None
</Directory>
OIDCProviderMetadataURL {{.App.Issuer}}/.well-known/openid-configuration
OIDCProviderEndSessionEndpoint {{.App.Logout}}
OIDCClientID {{.App.ID}}
OIDCClientSecret {{.App.Secret}}
OIDCRedirectURI {{.App.Callback}}
OIDCCryptoPassphrase made-with-openssl-rand-hex-32-on
OIDCScope "openid email profile"
OIDCPKCEMethod S256
OIDCRemoteUserClaim email
OIDCPassClaimsAs environment
OIDCRedirectURLsAllowed ^{{.Home}}
<Location /callback>
	AuthType openid-connect
	Require valid-user
</Location>
<Location /people/>
	AuthType openid-connect
	Require valid-user
	Header always set X-User "expr=%{REMOTE_USER}"
	Header always set X-Name "%{OIDC_CLAIM_name}e"
	Header always set X-Groups "%{OIDC_CLAIM_cognito-groups}e"
	Header always set X-Access "%{OIDC_access_token}e"
</Location>
<Location /admins/>
	AuthType openid-connect
	Require claim cognito:groups:admins
</Location>
<Location /nobodys/>
	AuthType openid-connect
	Require claim cognito:groups:nobodys
</Location>
`))

// TestModAuthOpenIDC tells the story of Apache's mod_auth_openidc.
func TestModAuthOpenIDC(t *testing.T) {
	apache := testenv.Program(t, "apache2")
	library := filepath.Dir(testenv.File(t, "/usr/lib/apache2/modules/mod_auth_openidc.so", "libapache2-mod-auth-openidc"))
	home := site(t)
	pool := thePool(t)
	a := pool.register(t, "apache", home+"callback", home, true)

	folder := folder(t)
	if err := os.Chmod(folder, 0o755); err != nil { // root's Apache serves as nobody
		t.Fatal(err)
	}
	for _, path := range []string{".", "people", "admins", "nobodys"} {
		path = filepath.Join(folder, "www", path)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "index.html"), []byte("page of "+filepath.Base(path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var text strings.Builder
	if err := apacheFile.Execute(&text, map[string]any{
		"Folder": folder, "Home": home, "Listen": strings.TrimSuffix(strings.Replace(strings.TrimPrefix(home, "http://"), "localhost", "127.0.0.1", 1), "/"), "Library": library,
		"Modules": []string{"mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers", "auth_openidc"},
		"App":     map[string]string{"Issuer": pool.issuer, "ID": a.id, "Secret": a.secret, "Callback": a.callback, "Logout": a.logout()},
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "httpd.conf")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, home, exec.Command(apache, "-f", file, "-DFOREGROUND"))

	b := codegranttest.NewBrowser(t)
	people := func(page *codegranttest.Page) (access string) {
		t.Helper()
		h := page.Header
		if page.Status != http.StatusOK || page.Body != "page of people" || h.Get("X-User") != a.email || h.Get("X-Name") != "Alice of apache" || h.Get("X-Groups") != "admins,analysts" {
			t.Errorf("%s: %d, %q, %q, %q\n%s", page.URL, page.Status, h.Get("X-User"), h.Get("X-Name"), h.Get("X-Groups"), page.Body)
		}
		return h.Get("X-Access")
	}
	atPool := func(page *codegranttest.Page) {
		t.Helper()
		if !strings.HasPrefix(page.URL.String(), pool.url+"/login?") {
			t.Errorf("it ended at %s: %d\n%s", page.URL, page.Status, page.Body)
		}
	}
	first := people(signsIn(t, b, b.Open(home+"people/?q=a%20b"), a.username))
	for path, status := range map[string]int{"admins/": http.StatusOK, "nobodys/": http.StatusUnauthorized} {
		if page := b.Open(home + path); page.Status != status {
			t.Errorf("/%s: status %d, want %d", path, page.Status, status)
		}
	}

	// What a person may come back with in place of a code of theirs.
	stranger := codegranttest.NewBrowser(t)
	login := stranger.Open(home + "people/")
	atPool(login)
	state := url.QueryEscape(login.URL.Query().Get("state"))
	for query, text := range map[string]string{"error=access_denied&error_description=cancelled&state=" + state: "error: access_denied", "code=made-up&state=made-up": "Bad Request"} {
		if page := stranger.Open(a.callback + "?" + query); !strings.Contains(page.Body, text) {
			t.Errorf("%s: status %d\n%s", query, page.Status, page.Body)
		}
	}
	atPool(stranger.Open(home + "people/"))

	refresh := func(access string) *codegranttest.Page {
		t.Helper()
		return b.Open(a.callback + "?" + url.Values{"refresh": {home + "people/"}, "access_token": {access}}.Encode())
	}
	second := people(refresh(first))
	if first == "" || second == "" || first == second {
		t.Error("a refresh brought no other access token")
	}
	a.signOutEverywhere(t)
	if page := refresh(second); page.URL.Query().Get("error_code") != "refresh_failed" {
		t.Errorf("a refresh after the person was signed out everywhere ended at %s: %d", page.URL, page.Status)
	}

	if page := b.Open(a.callback + "?" + url.Values{"logout": {home}}.Encode()); page.URL.String() != home || page.Body != "page of www" {
		t.Errorf("the sign-out ended at %s: %d\n%s", page.URL, page.Status, page.Body)
	}
	atPool(b.Open(home + "people/"))
}
