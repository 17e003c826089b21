package serve

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestPagesOfTheGateway: with what the configuration says of them, in the language of who
// asks, and as it is after a change; a change for the worse changes nothing.
func TestPagesOfTheGateway(t *testing.T) {
	const looks = "limits: {sign_in_rate: 1, sign_in_burst: 2}\npages:\n  name: Acme\n  templates: looks\n"
	g := newGate(t, oneUpstream+looks)
	g.writeFile("looks/failed.html", "<h1>{{.Title}}</h1><p>{{.View.Status}}: ask {{.Name}}. {{.Correlation}}</p>")
	g.start()
	show := func(client *http.Client, path string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Accept-Language", "nl")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		status, body := response.StatusCode, string(text)
		if !strings.Contains(body, " – Acme</title>") {
			t.Errorf("%s: %d without the name: %s", path, status, body)
		}
		return body
	}
	bob := codegranttest.NewBrowser(t)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	for _, tt := range []struct{ path, want string }{
		{"/admin", "Niet toegestaan"}, {"/a//b", "400: ask Acme."}, {"/auth/nothing", "Deze pagina bestaat niet"}, {"/auth/login", "<h1>Te veel verzoeken</h1><p>429: ask Acme."},
	} {
		if body := show(bob.Client, tt.path); !strings.Contains(body, tt.want) {
			t.Errorf("%s lacks %q: %s", tt.path, tt.want, body)
		}
	}
	g.writeFile("looks/failed.html", "<h1>{{.Title}}</h1>{{.Correlation}}\n{{.Nothing}}")
	g.logged("new configuration is wrong; the old one stays", "looks/failed.html:2: pages.templates: ")
	if body := show(bob.Client, "/a//b"); !strings.Contains(body, "400: ask Acme.") {
		t.Errorf("a template that is wrong took the place of the old one: %s", body)
	}
	g.writeFile("looks/failed.html", "<h1>{{.Title}}</h1>Another. {{.Correlation}}")
	g.until("the new template is used", func() bool { return strings.Contains(show(bob.Client, "/a//b"), "Another.") })
}

func TestCheckOfPages(t *testing.T) {
	g := newGate(t, oneUpstream+"pages:\n  colors:\n    accent: \"#ffee00\"\n")
	if _, stderr, status := say(t, "serve", "--check", "--config", g.config); status == 0 || !strings.Contains(stderr, "codegrant.yaml:2") || !strings.Contains(stderr, "pages.colors: accent #ffee00 on card #ffffff has a contrast of 1.20") {
		t.Errorf("%d %s", status, stderr)
	}
}
