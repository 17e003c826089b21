package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// TestS771_AccountPagesOfTheNewPool: people whose session is of the pool that they move from
// sign in at the new one before they change anything there, and nothing is changed at the
// old pool, be it by a form that they had open.
func TestS771_AccountPagesOfTheNewPool(t *testing.T) {
	store, keys := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring()
	old := newWorld(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) { c.Sessions, c.Keys = store, keys })
	stays := old.signIn(alice)
	client := old.pool.Clients()[0]
	before := cognito.Pool{ID: client.PoolID, Domain: strings.TrimSuffix(client.Issuer, "/"+client.PoolID), Issuer: client.Issuer, ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret)}
	now := newWorld(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.Sessions, c.Keys, c.OldPool = store, keys, &before
	})
	// The names of cookies have the port of the application, which is another one here.
	port := func(w *world) string { return w.url[strings.LastIndexByte(w.url, ':')+1:] }
	at, err := url.Parse(now.url)
	if err != nil {
		t.Fatal(err)
	}
	var held []*http.Cookie
	for _, c := range stays.Client.Jar.Cookies(at) {
		held = append(held, &http.Cookie{Name: strings.Replace(c.Name, port(old), port(now), 1), Value: c.Value, Path: "/"})
	}
	stays.Client.Jar.SetCookies(at, held)
	if page := stays.Open(now.url + "/"); !strings.Contains(page.Body, "Welcome, Alice Archer") {
		t.Fatalf("a session of the old pool: %d %s", page.Status, page.Body)
	}
	asked := old.pool.Calls("api")
	there := now.auth.Endpoints()
	if page := now.at(stays, "/profile"); !strings.HasPrefix(there.Issuer, page.URL.Scheme+"://"+page.URL.Host) {
		t.Errorf("led to %s, and the new pool is %s", page.URL, there.Issuer)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, now.url+"/auth/account/profile", strings.NewReader(url.Values{"name": {"Mallory"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", now.url)
	answer, err := http.DefaultTransport.RoundTrip(withCookies(r, stays.Client.Jar))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if where := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(where, "/auth/login?prompt=login&redirect_uri=") {
		t.Errorf("a form: %d %s", answer.StatusCode, where)
	}
	if n := old.pool.Calls("api"); n != asked {
		t.Errorf("the old pool was asked %d times", n-asked)
	}
	// Signed in at the new pool, they change their account there.
	page := stays.SignIn(now.url+"/auth/account/profile", alice, "Passw0rd!")
	now.send(stays, page, "name", map[string]string{"name": "Alice Baker"}, 200, "Your changes are saved.")
	if page := stays.Open(now.url + "/"); !strings.Contains(page.Body, "Alice Baker") {
		t.Errorf("%s", page.Body)
	}
}

func withCookies(r *http.Request, jar http.CookieJar) *http.Request {
	for _, c := range jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}
