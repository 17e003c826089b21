package codegrant_test

import (
	"context"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// What a trigger of the pool says in several languages reaches the person at the
// application in theirs, as it does where Cognito sends a person of an identity
// provider back with it.
func TestTriggerErrorThroughThePool(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.ErrorURL = "/open" })
	said := "Members of erin@example.com alone@" + base64.StdEncoding.EncodeToString([]byte(`{"en":"Use your work address.","de":"Nutzen Sie Ihre Dienstadresse > privat."}`))
	err := a.SetTrigger(a.PoolID, localpool.PreSignUp, localpool.Trigger{Func: func(context.Context, map[string]any) error { return errors.New(said) }})
	if err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	link := func(page *codegranttest.Page, pattern string) string {
		t.Helper()
		m := regexp.MustCompile(`href="(` + pattern + `[^"]*)"`).FindStringSubmatch(page.Body)
		if m == nil {
			t.Fatalf("no link to %s at %s: %s", pattern, page.URL, page.Body)
		}
		return html.UnescapeString(m[1])
	}
	page := browser.Open(a.url + "/reports/")
	page = browser.Open(a.URL + link(page, "/signup"))
	form, ok := page.Form("password")
	if !ok {
		t.Fatalf("no form to sign up at %s", page.URL)
	}
	page = browser.Submit(page, form, map[string]string{"username": "erin@example.net", "password": codegranttest.Password})
	if !strings.Contains(page.Body, "PreSignUp failed with error Members of erin@example.com alone@") {
		t.Errorf("the pool's page: %s", page.Body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link(page, regexp.QuoteMeta(a.url+"/auth/callback")), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "de-AT, en;q=0.5")
	response, err := browser.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if got, want := string(body), "flash trigger: Nutzen Sie Ihre Dienstadresse > privat."; err != nil || response.Request.URL.Path != "/open" || got != want {
		t.Errorf("ended at %s: %s, %v\nwant %s", response.Request.URL, got, err, want)
	}
}
