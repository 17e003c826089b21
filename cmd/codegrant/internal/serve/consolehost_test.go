package serve

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// twoPools has customers at one host, and operators, who have a pool of their own, at another,
// where the console is. In both pools, people have the same names and subs.
func twoPools(t *testing.T) (g *gate, ops string) {
	t.Helper()
	g = newGate(t, "")
	port := g.url[strings.LastIndexByte(g.url, ':')+1:]
	ops = "http://localhost:" + port
	staff := codegranttest.NewPool(t, nil)
	pool := func(name, at, host string, p *codegranttest.Pool) string {
		c := p.Register(at)
		return fmt.Sprintf("  - {name: %s, base_url: %q, hosts: [%q], id: %s, domain: %q, issuer: %q, client_id: %s, client_secret: %s}\n",
			name, at, host, c.ID, c.Domain, c.Issuer, c.ClientID, c.ClientSecret.Reveal())
	}
	g.writeFile("codegrant.yaml", "listen: "+strings.TrimPrefix(g.url, "http://")+"\nbase_url: "+g.url+"\nlog: {format: json, level: debug}\npools:\n"+
		pool("customers", g.url, "127.0.0.1", g.pool)+pool("staff", ops, "localhost", staff)+
		strings.ReplaceAll(strings.Replace(consoled, "{groups: admins}", "{groups: admins, pool: staff}", 1), "${UP}", g.up))
	g.writeFile("keys", newSealingKey())
	g.start()
	return g, ops
}

// TestS761_ConsoleOnAHostOfItsOwn: a gateway that runs has the console at the host of the
// operators' pool, and nowhere else. Who is in a group of that name in another pool does not come
// in. It shows the people of both pools, and what it does to one leaves the other alone.
func TestS761_ConsoleOnAHostOfItsOwn(t *testing.T) {
	g, ops := twoPools(t)
	operator, customer, colleague := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	if page := operator.SignIn(ops+"/console", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK || !strings.Contains(page.Body, "<h1>State</h1>") || page.URL.Host != strings.TrimPrefix(ops, "http://") {
		t.Fatalf("the operator is at %s: %d %s", page.URL, page.Status, page.Body)
	}
	admin := codegranttest.NewBrowser(t)
	if page := admin.SignIn(g.url+"/console", "alice@example.com", codegranttest.Password); !strings.HasPrefix(page.Body, "GET /console for alice@example.com") {
		t.Errorf("at the customers' host, the console's path is the application's: %d %s", page.Status, page.Body)
	}
	theirs, _ := url.Parse(g.url)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ops+"/console", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range admin.Client.Jar.Cookies(theirs) {
		r.AddCookie(cookie)
	}
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusSeeOther && answer.StatusCode != http.StatusFound {
		t.Errorf("a customer's session at the operators' host: %d", answer.StatusCode)
	}

	customer.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	colleague.SignIn(ops+"/", "bob@example.com", codegranttest.Password)
	at := func(b *codegranttest.Browser, origin string) int {
		t.Helper()
		answer, err := b.Client.Get(origin + "/auth/user")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if a, b := at(customer, g.url), at(colleague, ops); a != http.StatusOK || b != http.StatusOK {
		t.Fatalf("signed in: %d and %d", a, b)
	}
	pages, subs := make(map[string]string), make(map[string]bool)
	for _, pool := range []string{"customers", "staff"} {
		found := operator.Open(ops + "/console/people?q=bob%40example.com&pool=" + pool)
		link := regexp.MustCompile(`href="(/console/person[^"]+)"`).FindStringSubmatch(found.Body)
		if link == nil {
			t.Fatalf("bob of %s is not found: %s", pool, found.Body)
		}
		u, err := url.Parse(html.UnescapeString(link[1]))
		if err != nil {
			t.Fatal(err)
		}
		pages[u.Query().Get("pool")] = u.RequestURI()
		subs[u.Query().Get("sub")] = true
	}
	if len(pages) != 2 || len(subs) != 1 {
		t.Fatalf("people of both pools: %v, with the same sub: %v", pages, subs)
	}
	page := operator.Open(ops + pages["customers"])
	done := false
	for _, form := range page.Forms {
		if form.Values.Get("do") == "everywhere" {
			done = strings.Contains(operator.Submit(page, form, nil).Body, "1 session has ended")
		}
	}
	if !done {
		t.Fatalf("the customer's page: %d %s", page.Status, page.Body)
	}
	if a, b := at(customer, g.url), at(colleague, ops); a != http.StatusUnauthorized || b != http.StatusOK {
		t.Errorf("after the customer was signed out: %d, and %d for the colleague with the same sub", a, b)
	}
	g.logged("operator acted", "customers")
	verdict := operator.Open(ops + "/console/ask?" + url.Values{"who": {"alice@example.com"}, "method": {"GET"}, "url": {g.url + "/reports/1"}}.Encode())
	if !strings.Contains(verdict.Body, "passed") || !strings.Contains(verdict.Body, "customers") {
		t.Errorf("a verdict on the other pool's route: %s", verdict.Body)
	}
	g.end()
}
