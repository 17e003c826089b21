package codegrant_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// Anybody can invent cookies. The pool is asked, to refresh or to revoke, beside a
// token that it has signed, and never because of anything else.
func TestS313_InventedTokensReachNobody(t *testing.T) {
	p, browser := twoSharing(t)
	client := p.browser().Client
	before := p.Calls(localpool.Token)
	held := jarOf(t, browser, "https://a.example.test/")
	foreign := strings.Split(held["id_token"], ".")
	foreign[2] = strings.Repeat("A", len(foreign[2])) // signed by nobody
	send := func(method, path string, i int) {
		t.Helper()
		r, err := http.NewRequest(method, "https://a.example.test"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.AddCookie(&http.Cookie{Name: "refresh_token", Value: fmt.Sprintf("invented-%d", i)})
		switch i % 4 {
		case 1:
			r.AddCookie(&http.Cookie{Name: "access_token", Value: fmt.Sprint("x.y.", i)})
			r.AddCookie(&http.Cookie{Name: "id_token", Value: fmt.Sprint("x.y.", i)})
		case 2:
			r.AddCookie(&http.Cookie{Name: "id_token", Value: strings.Join(foreign, ".")})
		case 3:
			r.AddCookie(&http.Cookie{Name: "access_token", Value: held["id_token"]}) // of another use
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode >= 500 {
			t.Fatalf("%s: status %d", path, response.StatusCode)
		}
	}
	for i := range 300 {
		send("GET", "/", i)
	}
	if n := p.Calls(localpool.Token) - before; n != 0 {
		t.Errorf("300 invented cookies were %d calls of the token endpoint", n)
	}
	for i := range 1500 { // more than are kept at a time
		send("POST", "/auth/logout", i)
	}
	if err := p.auths["a.example.test"].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := p.Calls(localpool.Revoke); n != 0 {
		t.Errorf("invented tokens were revoked %d times", n)
	}

	// A real one is refreshed, also when the time of its tokens is up, and revoked.
	p.now.Advance(61 * time.Minute)
	if page := browser.Open("https://a.example.test/"); page.Body != alicesPage {
		t.Errorf("after the end of her tokens: %d %q", page.Status, page.Body)
	}
	if n := p.Calls(localpool.Token) - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	p.now.Advance(61 * time.Minute)
	browser.Open("https://a.example.test/auth/logout")
	if err := p.auths["a.example.test"].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := p.Calls(localpool.Revoke); n != 1 {
		t.Errorf("her token was revoked %d times", n)
	}
}
