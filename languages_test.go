package codegrant_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestPagesInThePersonsLanguage: pages, and messages of sign-ins that failed, for people; problem
// documents, for programs, in English.
func TestPagesInThePersonsLanguage(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, tt := range []struct {
		path, accepts string
		status        int
		want          []string
	}{
		{"/orders/", "de-AT,de;q=0.9", 403, []string{`lang="de"`, "Nicht erlaubt", "Angemeldet als", "alice@example.com", "Zur Startseite"}},
		{"/orders/", "sv", 403, []string{`lang="en"`, "Not allowed"}},
		{"/auth/nothing", "fr", 404, []string{`lang="fr"`, "Cette page n’existe pas"}},
		{"/auth/nothing?lang=ja", "fr", 404, []string{`lang="ja"`, "このページは存在しません"}},
		{"/auth/callback?state=x&code=y", "es", 400, []string{`lang="es"`, "No ha iniciado sesión", "ha caducado"}},
		{"/auth/callback?state=x&error=access_denied", "zh-CN", 400, []string{`lang="zh-Hans"`, "您尚未登录"}},
	} {
		client := browser.Client
		if strings.HasPrefix(tt.path, "/auth/callback") {
			client = http.DefaultClient // who is signed in already goes on
		}
		r := get(t, client, a.url+tt.path, append(page, "Accept-Language", tt.accepts)...)
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != tt.status || r.Header.Get("Content-Language") == "" {
			t.Errorf("%s in %s: %d, %s", tt.path, tt.accepts, r.StatusCode, r.Header.Get("Content-Language"))
		}
		for _, want := range tt.want {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s in %s lacks %q:\n%s", tt.path, tt.accepts, want, body)
			}
		}
	}
	r := get(t, http.DefaultClient, a.url+"/auth/nothing", "Accept", "application/json", "Accept-Language", "de")
	var problem struct{ Title string }
	if err := json.NewDecoder(r.Body).Decode(&problem); err != nil || r.StatusCode != 404 || problem.Title != "Not Found" {
		t.Errorf("a program: %d %v %v", r.StatusCode, problem, err)
	}
}
