package examples

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// A person makes the requests of a program with the session of a browser, or with
// an access token.
type person struct {
	client *http.Client
	token  string
}

// ask sends a request and returns what came of it.
func (p person) ask(t *testing.T, method, target string, form url.Values) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	answer, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// checkRefusal holds a refusal to being the library's and nothing else: a handler
// that ran all the same would have added to it.
func checkRefusal(t *testing.T, answer *http.Response, body string) {
	t.Helper()
	var problem struct{ Status int }
	if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Status != answer.StatusCode ||
		answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused with status %d, %s, %s; want one problem document", answer.StatusCode, answer.Header.Get("Content-Type"), body)
	}
	if asks := answer.Header.Get("WWW-Authenticate") != ""; asks != (answer.StatusCode == http.StatusUnauthorized) {
		t.Errorf("status %d with WWW-Authenticate %q", answer.StatusCode, answer.Header.Get("WWW-Authenticate"))
	}
}

// TestRouters holds each router to the same table: the permissions are the
// library's, and no router may weaken them.
func TestRouters(t *testing.T) {
	for _, router := range []string{"chi", "gin", "echo"} {
		t.Run(router, func(t *testing.T) { testRouter(t, router) })
	}
}

func testRouter(t *testing.T, router string) {
	pool := codegranttest.NewPool(t, nil)
	pool.AddUser("carol", "carol@example.com")
	address := testenv.FreeAddress(t)
	site := "http://" + address
	run(t, exec.Command(build(t, router), "-listen", address), settings(t, pool, site)...)
	await(t, address)

	// People sign in through the pool's pages, from a page that they asked for.
	signIn := func(name string) person {
		b := codegranttest.NewBrowser(t)
		page := b.SignIn(site+"/profile", name+"@example.com", codegranttest.Password)
		if page.Status != http.StatusOK || page.URL.String() != site+"/profile" || !strings.Contains(page.Body, name) {
			t.Fatalf("%s signed in to %s, status %d: %s", name, page.URL, page.Status, page.Body)
		}
		return person{client: b.Client}
	}
	nobody := person{client: new(http.Client)}
	alice, bob, carol := signIn("alice"), signIn("bob"), signIn("carol") // admins and analysts; editors; no group
	token := func(changes map[string]any) person {
		return person{client: new(http.Client), token: accessToken(t, pool, changes)}
	}
	robin := token(nil)
	forged := robin
	forged.token = forged.token[:len(forged.token)-8] + "AAAAAAAA"

	product, order := url.Values{"name": {"coffee"}}, url.Values{"product": {"tea"}}
	tests := []struct {
		name         string
		who          person
		method, path string
		form         url.Values
		status       int
		body         string // part of the answer, where it is not a refusal
	}{
		{"open to nobody", nobody, "GET", "/", nil, 200, "Hello stranger."},
		{"open, and knows who", alice, "GET", "/", nil, 200, "Hello alice@example.com, you are in [admins analysts]."},
		{"the endpoints are mounted", alice, "GET", "/auth/user", nil, 200, `"username":"alice"`},
		{"the endpoints say nobody", nobody, "GET", "/auth/user", nil, 401, ""},

		{"scope, nobody", nobody, "GET", "/profile", nil, 401, ""},
		{"scope, a session", carol, "GET", "/profile", nil, 200, `"username":"carol"`},
		{"scope, a token with it", robin, "GET", "/profile", nil, 200, `"username":"robin"`},
		{"scope, a token without", token(map[string]any{"scope": "openid"}), "GET", "/profile", nil, 403, ""},
		{"a forged token", forged, "GET", "/profile", nil, 401, ""},

		{"group, nobody", nobody, "GET", "/reports/", nil, 401, ""},
		{"group, without it", bob, "GET", "/reports/", nil, 403, ""},
		{"group, with it", alice, "GET", "/reports/", nil, 200, `["sales"]`},
		{"group, below, nobody", nobody, "GET", "/reports/sales", nil, 401, ""},
		{"group, below, without it", bob, "GET", "/reports/sales", nil, 403, ""},
		{"group, below, with it", alice, "GET", "/reports/sales", nil, 200, `"all about sales"`},
		{"group of a token", token(map[string]any{"cognito:groups": []string{"analysts"}}), "GET", "/reports/sales", nil, 200, "sales"},

		{"read-only, nobody", nobody, "GET", "/products", nil, 401, ""},
		{"read-only, others read", carol, "GET", "/products", nil, 200, `["tea"]`},
		{"read-only, nobody writes", nobody, "POST", "/products", product, 401, ""},
		{"read-only, others do not write", carol, "POST", "/products", product, 403, ""},
		{"a refused change changes nothing", carol, "GET", "/products", nil, 200, `["tea"]`},
		{"any group, the second writes", bob, "POST", "/products", product, 201, `["tea","coffee"]`},
		{"any group, the first writes", alice, "POST", "/products", product, 201, `["tea","coffee","coffee"]`},

		{"orders, nobody", nobody, "POST", "/orders", order, 401, ""},
		{"orders, anybody who is signed in", carol, "POST", "/orders", order, 201, `"id":"1"`},
		{"by object, nobody", nobody, "GET", "/orders/1", nil, 401, ""},
		{"by object, her own", carol, "GET", "/orders/1", nil, 200, `"product":"tea"`},
		{"by object, somebody else's", bob, "GET", "/orders/1", nil, 403, ""},
		{"by object, or a group", alice, "GET", "/orders/1", nil, 200, `"product":"tea"`},
		{"by object, there is none", carol, "GET", "/orders/2", nil, 403, ""},
		{"by object, there is none, and may know", alice, "GET", "/orders/2", nil, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, body := tt.who.ask(t, tt.method, site+tt.path, tt.form)
			if answer.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("%s %s: status %d, %s; want %d, %s", tt.method, tt.path, answer.StatusCode, body, tt.status, tt.body)
			}
			if tt.status == http.StatusUnauthorized || tt.status == http.StatusForbidden {
				checkRefusal(t, answer, body)
			}
		})
	}

	if answer, body := carol.ask(t, "POST", site+"/auth/logout", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("sign out: status %d, %s", answer.StatusCode, body)
	}
	if answer, _ := carol.ask(t, "GET", site+"/orders/1", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("signed out, status %d, want 401", answer.StatusCode)
	}
}
