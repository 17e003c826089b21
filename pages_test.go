package codegrant_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
)

// TestPagesOfAnApplication: with its name, logo, colors and templates, wherever a page comes
// from.
func TestPagesOfAnApplication(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.Pages = codegrant.Pages{
			Name: "Acme", Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), Colors: codegrant.PageColors{Accent: "#7a1fa2"},
			Templates: fstest.MapFS{"denied.html": {Data: []byte(`<h1>{{.Title}}</h1><p>Ask the people of {{.Name}}, {{.View.SignedInAs}}. <code>{{.Correlation}}</code>`)}},
		}
	})
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	for path, want := range map[string]string{
		"/orders/":       "Ask the people of Acme, alice@example.com.",
		"/auth/nothing":  "There is nothing at this address.",
		"/auth/sessions": "Your sessions",
	} {
		page := browser.Open(a.url + path)
		for _, want := range []string{want, `alt="Acme"`, "--accent: #7a1fa2"} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s lacks %q: %s", path, want, page.Body)
			}
		}
		if !strings.Contains(page.Header.Get("Content-Security-Policy"), "img-src data:; ") {
			t.Errorf("%s: %s", path, page.Header.Get("Content-Security-Policy"))
		}
	}
}

// TestPagesOfFeatures: what is shown behind Require by others, such as the question whether
// a program may act, has the look, too.
func TestPagesOfFeatures(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	url := pool.App(func(config codegrant.Config) http.Handler {
		config.Pages.Name = "Acme"
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pages.Render(w, r, http.StatusOK, pages.AskForAgent{Resource: "Reports"})
		})))
		return mux
	})
	if page := codegranttest.NewBrowser(t).SignIn(url+"/", "alice@example.com", codegranttest.Password); !strings.Contains(page.Body, `<p class="logo">Acme</p>`) {
		t.Error(page.Body)
	}
}

func TestPagesThatAreNone(t *testing.T) {
	for want, p := range map[string]codegrant.Pages{
		"Pages: logo: it is not an SVG":  {Name: "A", Logo: []byte("x")},
		"Pages: dark_colors: text":       {DarkColors: codegrant.PageColors{Text: "#000000"}},
		"Pages: templates: denied.html:": {Templates: fstest.MapFS{"denied.html": {Data: []byte("{{.Nothing}}")}}},
	} {
		config := codegrant.Config{Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}}
		config.Pages = p
		if _, err := codegrant.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestAnswer: a page for people, with a reference where the log has one, and a problem
// document for programs.
func TestAnswer(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, accept string
		status         int
		want           string
		reference      bool
	}{
		{"GET", "text/html", 502, "Temporarily unavailable", true},
		{"GET", "*/*", 504, `"title":"Gateway Timeout"`, true},
		{"POST", "text/html", 503, "Temporarily unavailable", true},
		{"GET", "text/html", 500, "Something went wrong", true},
		{"GET", "text/html", 429, "Too many requests", false},
		{"GET", "*/*", 429, `"title":"Too Many Requests"`, false},
		{"GET", "text/html", 404, "This page does not exist", false},
		{"PUT", "text/html", 413, `"type":"about:blank"`, false},
	} {
		r := httptest.NewRequest(tt.method, "/reports/?x=1", nil)
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		reference := auth.Answer(w, r, tt.status, nil)
		body := w.Body.String()
		if w.Code != tt.status || !strings.Contains(body, tt.want) || (reference != "") != tt.reference || reference != "" && !strings.Contains(body, reference) {
			t.Errorf("%s %d for %s: %q %d %s", tt.method, tt.status, tt.accept, reference, w.Code, body)
		}
		if again := strings.Contains(body, `href="/reports/?x=1"`); again != (tt.method == http.MethodGet && tt.accept == "text/html" && tt.status > 500) {
			t.Errorf("%s %d: offered again: %v", tt.method, tt.status, again)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d: %v", tt.status, w.Header())
		}
	}
}
