package serve

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

const consoled = `
routes:
  - {path: /, upstream: "${UP}"}
  - {name: reports, path: /reports, groups: analysts, upstream: "${UP}"}
console: {groups: admins}
keys_file: keys
sessions: database
replica: {outbox: true}
database: sqlite:app.db
`

// operator is a client of somebody who may open the console.
func (g *gate) operator() *http.Client {
	g.t.Helper()
	b := codegranttest.NewBrowser(g.t)
	if page := b.SignIn(g.url+"/console", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK || !strings.Contains(page.Body, "<h1>State</h1>") {
		g.t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	return b.Client
}

// TestS730_ConsoleOfTheGateway: the gateway serves the console to members of its groups
// alone, with what it knows of itself and of its rules.
func TestS730_ConsoleOfTheGateway(t *testing.T) {
	g := newGate(t, consoled)
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := g.operator()
	if status, body := g.get(http.DefaultClient, "/console"); status == http.StatusOK && strings.Contains(body, "<h1>State</h1>") {
		t.Errorf("nobody: %d %s", status, body)
	}
	bob := codegranttest.NewBrowser(t)
	if page := bob.SignIn(g.url+"/console", "bob@example.com", codegranttest.Password); page.Status != http.StatusForbidden {
		t.Errorf("not an operator: %d", page.Status)
	}
	g.until("the pool has answered", func() bool {
		_, body := g.get(alice, "/console")
		return strings.Contains(body, "keys of pool default")
	})
	_, body := g.get(alice, "/console")
	for _, want := range []string{"can be answered", "tables", g.url + "/auth/callback", strings.TrimPrefix(g.up, "http://"), "Changes that nobody has taken", "Without codegrant sync its tables do not exist, and this is not a fault", "codegrant.yaml", "Sealing keys", "Live sessions"} {
		if !strings.Contains(body, want) {
			t.Errorf("the state lacks %q", want)
		}
	}
	g.logged("cannot be read", "passes over pool default", "codegrant_passes")
	for _, raw := range []string{"codegrant_passes", "SQL", "no such table"} {
		if strings.Contains(body, raw) {
			t.Errorf("the page for people has %q", raw)
		}
	}
	if strings.Contains(body, g.pool.Clients()[0].Secret) {
		t.Error("the state has the client secret")
	}

	ask := func(who, method, target string) string {
		t.Helper()
		status, body := g.get(alice, "/console/ask?"+url.Values{"who": {who}, "method": {method}, "url": {target}}.Encode())
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", target, status, body)
		}
		return body
	}
	for _, tt := range []struct {
		who, target string
		want        []string
	}{
		{"alice@example.com", "/reports/1", []string{"passed", "the person has what the route requires", "group analysts", "alice@example.com", ">reports<", g.up}},
		{"bob@example.com", g.url + "/reports/1", []string{"forbidden", "group analysts", "editors"}},
		{"carol@example.com", "/reports", []string{"forbidden", "whom the replica does not know"}},
		{"", "/reports", []string{"unauthorized", "nobody is signed in"}},
		{"", "/a/../b", []string{"refused"}},
		{"bob@example.com", "/console", []string{"passed", "the route is public"}},
	} {
		body := ask(tt.who, "GET", tt.target)
		for _, want := range tt.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s for %s lacks %q", tt.target, tt.who, want)
			}
		}
	}

	g.lookAtPeople(alice, bob)
	g.write(strings.Replace(consoled, "groups: analysts", "groups: [analysts, \"\"]", 1))
	g.until("the fault is shown", func() bool {
		_, body := g.get(alice, "/console")
		return strings.Contains(body, "Last one that was refused") && strings.Contains(body, "routes[1].groups")
	})
	g.write(strings.Replace(consoled, "admins", "editors", 1))
	g.until("the group of the new configuration counts", func() bool {
		status, _ := g.get(alice, "/console")
		return status == http.StatusForbidden
	})
	if status, _ := g.get(bob.Client, "/console"); status != http.StatusOK {
		t.Errorf("the new operator: %d", status)
	}
	for _, over := range []func(){
		func() { g.write(consoled) }, // another configuration: its groups count
		func() { g.stop() },
	} {
		client := alice
		if status, _ := g.get(alice, "/console"); status != http.StatusOK {
			client = bob.Client
		}
		soon, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(soon, http.MethodGet, g.url+"/console/state/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		open, err := client.Do(r)
		if err != nil || open.StatusCode != http.StatusOK {
			t.Fatalf("events: %v %v", open, err)
		}
		began := time.Now()
		over()
		if _, err := io.Copy(io.Discard, open.Body); err != nil {
			t.Errorf("the open page: %v", err)
		}
		_ = open.Body.Close()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("an open page held it for %s", took)
		}
	}
	if status := <-g.status; status != 0 {
		t.Errorf("status %d", status)
	}
}

// lookAtPeople has an operator find out why somebody may not pass, have the pool asked
// again about them, and sign them out.
func (g *gate) lookAtPeople(alice *http.Client, bob *codegranttest.Browser) {
	t := g.t
	t.Helper()
	page := bob.Open(g.url + "/reports")
	reference := regexp.MustCompile(`<code>([^<]+)</code>`).FindStringSubmatch(page.Body)
	if page.Status != http.StatusForbidden || reference == nil {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	_, body := g.get(alice, "/console/refused?reference="+url.QueryEscape(reference[1]))
	for _, want := range []string{"request refused", "needs group analysts", "path: /reports", "forbidden", "route: reports", "from: 127.0.0.1"} {
		if !strings.Contains(body, want) {
			t.Errorf("the story lacks %q: %s", want, body)
		}
	}
	_, body = g.get(alice, "/console/people?q=bob%40example.com")
	link := regexp.MustCompile(`href="(/console/person[^"]+)"`).FindStringSubmatch(body)
	if link == nil {
		t.Fatalf("bob is not found: %s", body)
	}
	address := html.UnescapeString(link[1])
	if _, body = g.get(alice, address); !strings.Contains(body, "The pool says") || !strings.Contains(body, "editors") || !strings.Contains(body, "signed in") || strings.Contains(body, "differs") {
		t.Errorf("bob: %s", body)
	}
	u, _ := url.Parse(address)
	sub := u.Query().Get("sub")
	act := func(do string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/console/people/act", strings.NewReader(url.Values{"do": {do}, "pool": {"default"}, "sub": {sub}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", g.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		answer, err := alice.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	if err := g.pool.AddToGroup(g.pool.PoolID, "bob", "analysts"); err != nil {
		t.Fatal(err)
	}
	if _, body = g.get(alice, address); !strings.Contains(body, "differs") {
		t.Errorf("the pool says otherwise: %s", body)
	}
	if status, body := act("lookup"); status != http.StatusOK || !strings.Contains(body, "The replica is as the pool is.") || strings.Contains(body, "differs") {
		t.Errorf("looked up: %d %s", status, body)
	}
	if since := regexp.MustCompile(`(?s)<bdi>analysts</bdi>.*?data-label="Since">\d{4}-\d\d-\d\d`); !since.MatchString(body) {
		if _, body = g.get(alice, address); !since.MatchString(body) {
			t.Errorf("since when bob is in analysts: %s", body)
		}
	}
	if status, body := act("everywhere"); status != http.StatusOK || !strings.Contains(body, "1 session has ended") {
		t.Errorf("signed out: %d %s", status, body)
	}
	if !strings.Contains(g.log.String(), `"msg":"operator acted"`) {
		t.Error("nothing is on record")
	}
	*bob = *codegranttest.NewBrowser(t) // whom the pool does not know any more
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
}
