package pages

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// TestContrast holds every pair of colors that text is shown in to the 4.5 of
// WCAG 2.2, success criterion 1.4.3, in the light and in the dark.
func TestContrast(t *testing.T) {
	for name, base := range map[string]Colors{"light": light, "dark": dark} {
		got, err := Colors{}.fill(base)
		if err != nil || got != base {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if got := contrast("#ffffff", "#777777"); got < 4.47 || got > 4.49 { // 4.48 by WCAG's own example
		t.Errorf("white on #777777 has %.3f", got)
	}
	for _, accent := range []string{"#7a1fa2", "#c2185b", "#1a4fd6", "#000000", "#8a3b12", "#00695c"} {
		l, err := New(Design{Light: Colors{Accent: accent}})
		if err != nil {
			t.Errorf("%s: %v", accent, err)
			continue
		}
		if !strings.Contains(string(l.style), "--accent: "+accent) {
			t.Errorf("%s: %s", accent, l.style[:200])
		}
	}
}

const (
	svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8"/></svg>`
	png = "\x89PNG\r\n\x1a\n0"
)

// TestS723_DesignsThatAreNone: each fault is told, with its place.
func TestS723_DesignsThatAreNone(t *testing.T) {
	file := func(name, text string) Design { return Design{Templates: fstest.MapFS{name: {Data: []byte(text)}}} }
	const ours = "{{with .Correlation}}{{.}}{{end}}{{with .Form}}{{if .URL}}<form method=post action={{.URL}}>{{if .Question}}<input name=question value={{.Question}}><button name=answer value=allow>y</button><button name=answer value=deny>n</button>{{else}}<button>y</button>{{end}}</form>{{end}}{{end}}{{range .Sections}}{{range .Items}}{{range .Forms}}{{template \"form\" .}}{{end}}{{end}}{{range .Forms}}{{template \"form\" .}}{{end}}{{end}}<p>{{.Message}}{{range .Details}} {{.}}{{end}}"
	for _, tt := range []struct {
		name   string
		design Design
		want   string
	}{
		{"a name of several lines", Design{Name: "a\nb"}, "name: "},
		{"a long name", Design{Name: strings.Repeat("a", 61)}, "name: it must have at most 60"},
		{"a logo that is text", Design{Name: "A", Logo: []byte("hello")}, "logo: it is not an SVG"},
		{"a logo that is HTML", Design{Name: "A", Logo: []byte("<html><svg xmlns='http://www.w3.org/2000/svg'/></html>")}, "logo: it is not an SVG"},
		{"a large logo", Design{Name: "A", Logo: []byte(png + strings.Repeat("a", 32<<10))}, "logo: it has 32777 bytes"},
		{"a logo without a name", Design{Logo: []byte(svg)}, "logo: people who cannot see the logo"},
		{"a dark logo alone", Design{Name: "A", LogoDark: []byte(svg)}, "logo_dark: it replaces logo"},
		{"no color", Design{Light: Colors{Accent: "red"}}, `colors: accent: "red" is not a color`},
		{"a color that ends the rule", Design{Dark: Colors{Line: "#0000};"}}, `dark_colors: line: "#0000};" is not a color`},
		{"too little contrast", Design{Light: Colors{Accent: "#ffee00"}}, "colors: accent #ffee00 on card #ffffff has a contrast of 1.20"},
		{"too little contrast in the dark", Design{Dark: Colors{Text: "#333333"}}, "dark_colors: text #333333 on card #211f1c"},
		{"a template of nothing", file("home.html", "x"), "templates: home.html: no page is called so; there are account, agent-refused, "},
		{"an empty folder", Design{Templates: fstest.MapFS{}}, "templates: the folder has no template"},
		{"a huge one", file("page.html", strings.Repeat("a", 65<<10)), "templates: page.html: it has 66560 bytes"},
		{"a tag that does not end", file("denied.html", "<h1>\n{{.Title</h1>"), "templates: denied.html:2: "},
		{"a value that is not there", file("denied.html", "<h1>{{.Title}}</h1>\n\n{{.Nothing}}"), "templates: denied.html:3: "},
		{"a value of another view", file("denied.html", "<h1>{{.Title}}</h1>\n{{.View.Next}}"), "templates: denied.html:2: "},
		{"a template that is not there", file("denied.html", "<h1>{{.Title}}</h1>\n{{template \"x\"}}"), "templates: denied.html:2: "},
		{"text where none can be", file("content.html", "<h1>{{.Title}}</h1>\n<a href='{{.Title}}"), "templates: "},
		{"one that does not end", file("denied.html", "<h1>{{.Title}}</h1>\n{{range 1000000000}}{{$.Title}}{{end}}"), "denied.html"},
		{"nothing to see", file("denied.html", "{{if false}}x{{end}}"), "templates: denied.html: the page denied must have one heading"},
		{"no reference", file("denied.html", "<h1>{{.Title}}</h1>"), "templates: denied.html: the page denied does not show “q7Xk2mPz9aBd”"},
		{"no button", file("confirm-sign-out.html", "<h1>{{.Title}}</h1>"), "templates: confirm-sign-out.html: the page confirm-sign-out lacks the form that posts to /auth/logout"},
		{"a question without a no", file("ask-for-agent.html", strings.Replace(ours, "<button name=answer value=deny>n</button>", "", 1)+"<h1>{{.Title}}</h1>"), "lacks the form that posts to /oauth/consent with question, answer, answer"},
		{"a question that hides what it asks", file("ask-for-agent.html", strings.Replace(ours, "{{range .Details}} {{.}}{{end}}", "", 1)+"<h1>{{.Title}}</h1>"), "does not show “If you allow it"},
		{"a script", file("content.html", ours+"<h1>{{.Title}}</h1>\n<script>1</script>"), "templates: content.html:2: the page agent-refused has the element script"},
		{"an event", file("content.html", ours+"\n<h1 onclick='x()'>{{.Title}}</h1>"), "templates: content.html:2: the page agent-refused has the attribute onclick"},
		{"a style", file("content.html", ours+"\n<h1 style='color:red'>{{.Title}}</h1>"), "templates: content.html:2: "},
		{"a picture from elsewhere", file("content.html", ours+"<h1>{{.Title}}</h1>\n<img alt='' src='https://example.com/a.png'>"), "templates: content.html:2: the page agent-refused loads"},
		{"a form to elsewhere", file("content.html", ours+"<h1>{{.Title}}</h1>\n<form method=post action=https://example.com/><button>x</button></form>"), "has a form of its own"},
		{"no language", file("page.html", "<html><title>{{.Title}}</title><style>{{.Style}}</style><main>{{template \"content\" .}}</main>"), "templates: page.html:1: the page agent-refused must state its language"},
		{"no style", file("page.html", "<html lang={{.Language}}><title>{{.Title}}</title><main>{{template \"content\" .}}</main>"), "must have one style element"},
		{"no content", file("page.html", "<html lang={{.Language}}><title>{{.Title}}</title><style>{{.Style}}</style><main></main>"), "templates: page.html: the page"},
		{"a style that leaves", file("style.css", "main { color: red }\n.x { background: url(https://example.com/a) }"), "templates: style.css:2: "},
		{"a style that imports", file("style.css", "@import 'x';"), "templates: style.css:1: "},
		{"a style that ends", file("style.css", "\n\n</style><script>"), "templates: style.css:3: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := New(tt.design)
			if l != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n\n") || !errors.As(err, new(*Fault)) {
				t.Errorf("%v", err)
			}
		})
	}
	_, err := New(Design{Name: "a\n", Logo: []byte("x"), Light: Colors{Text: "x"}, Templates: fstest.MapFS{"x.html": {}, "denied.html": {Data: []byte("{{")}}})
	for _, part := range []string{"name: ", "logo: ", "colors: ", "x.html: ", "denied.html:1: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %s", err, part)
		}
	}
}

// TestDesign: what is designed is on the page, under a policy that is as strict.
func TestDesign(t *testing.T) {
	l, err := New(Design{
		Name: "Acme & Sons", Logo: []byte(svg), LogoDark: []byte(png), Light: Colors{Accent: "#7a1fa2"},
		Templates: fstest.MapFS{
			"README.md":   {Data: []byte("not a template")},
			"denied.html": {Data: []byte(`<h1>{{.Title}}</h1><p>Ask {{.Name}} for {{with .View.SignedInAs}}{{.}}{{end}}</p><a href="{{.View.Home}}">x</a>{{with .Correlation}}{{.}}{{end}}`)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := func(view View) (*httptest.ResponseRecorder, string) {
		w := httptest.NewRecorder()
		l.Render(w, httptest.NewRequest("GET", "/?lang=de", nil), http.StatusForbidden, view)
		return w, w.Body.String()
	}
	w, body := page(Denied{SignedInAs: "<b>", Home: "javascript:alert(1)", Correlation: "abc"})
	for _, want := range []string{
		"<title>Nicht erlaubt – Acme &amp; Sons</title>", "<p>Ask Acme &amp; Sons for &lt;b&gt;</p>", `href="#ZgotmplZ"`, "abc",
		`<img class="light" src="data:image/svg&#43;xml;base64,`, `<img class="dark" src="data:image/png;base64,`, "--accent: #7a1fa2",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %s: %s", want, body)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'sha256-") || !strings.Contains(got, "'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'") {
		t.Errorf("policy %s", got)
	}
	if _, body := page(NotFound{Home: "/"}); !strings.Contains(body, "Unter dieser Adresse ist nichts.") || !strings.Contains(body, "Acme") {
		t.Errorf("what has no template of its own: %s", body)
	}
	w = httptest.NewRecorder()
	if Render(w, httptest.NewRequest("GET", "/", nil), 404, NotFound{}); strings.Contains(w.Header().Get("Content-Security-Policy"), "img-src") || strings.Contains(w.Body.String(), "<img") {
		t.Error("without a design there is a picture")
	}
}

// TestS723_NeverABlankPage: a template that fails on values that nobody tried it with is
// followed by the page that it took the place of.
func TestS723_NeverABlankPage(t *testing.T) {
	l, err := New(Design{Templates: fstest.MapFS{"not-found.html": {Data: []byte(`<h1>{{.Title}}</h1>{{if eq .View.Home "/odd"}}{{index .Details 7}}{{end}}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	for home, want := range map[string]string{"/": "<h1>This page does not exist</h1>", "/odd": "There is nothing at this address."} {
		w := httptest.NewRecorder()
		l.Render(w, httptest.NewRequest("GET", "/", nil), 404, NotFound{Home: home})
		if w.Code != 404 || !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), "</html>") {
			t.Errorf("%s: %d %s", home, w.Code, w.Body)
		}
	}
}

// TestAnswer: a page for people, in their language, and a line for programs.
func TestAnswer(t *testing.T) {
	var l *Look
	for _, tt := range []struct {
		status       int
		header, want string
	}{
		{429, "de", "Zu viele Anfragen"}, {429, "en", "Too many requests"}, {503, "fr", "Momentanément indisponible"}, {400, "en", "This request cannot be read"}, {429, "", "Too Many Requests\n"},
	} {
		for range 2 {
			r := httptest.NewRequest("GET", "/", nil)
			if tt.header != "" {
				r.Header.Set("Accept", "text/html")
				r.Header.Set("Accept-Language", tt.header)
			}
			w := httptest.NewRecorder()
			l.Answer(w, r, tt.status)
			body := w.Body.String()
			if w.Code != tt.status || tt.header != "" && !strings.Contains(body, "<h1>") || tt.header == "" && body != tt.want || tt.header != "fr" && !strings.Contains(body, tt.want) {
				t.Errorf("%d in %s: %d %s", tt.status, tt.header, w.Code, body)
			}
		}
	}
}

// TestPagesAreDocumented: docs/pages.md has each template, with the values that it gets.
func TestPagesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), ".html` | "); ok && !strings.Contains(name, " ") {
			rows[name] = line
		}
	}
	for _, v := range Examples() {
		row, of := rows[nameOf(v)], reflect.TypeOf(v)
		for i := range of.NumField() {
			if !strings.Contains(row, "`."+of.Field(i).Name+"`") {
				t.Errorf("the row of %s lacks `.%s`: %q", nameOf(v), of.Field(i).Name, row)
			}
		}
	}
	for name := range rows {
		if _, ok := byName()[name]; !ok && name != "page" && name != "content" {
			t.Errorf("docs/pages.md has the page %s, which is none", name)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[page](), reflect.TypeFor[layout]()} {
		for i := range of.NumField() {
			if f := of.Field(i); f.IsExported() && !strings.Contains(string(text), "`."+f.Name+"`") {
				t.Errorf("docs/pages.md lacks `.%s`", f.Name)
			}
		}
	}
}

func FuzzS723_Design(f *testing.F) {
	f.Add("<h1>{{.Title}}</h1>{{.Correlation}}", "main { color: red }", svg)
	f.Add("{{template \"form\"}}", "@import", png)
	f.Add("{{define \"x\"}}{{end}}{{range .Details}}", "</style>", "<svg")
	f.Fuzz(func(t *testing.T, file, style, logo string) {
		l, err := New(Design{Name: "A", Logo: []byte(logo), Templates: fstest.MapFS{"denied.html": {Data: []byte(file)}, "style.css": {Data: []byte(style)}}})
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		l.Render(w, httptest.NewRequest("GET", "/", nil), 403, Denied{Correlation: "abc"})
		if body := w.Body.String(); !strings.Contains(body, "abc") || strings.Count(strings.ToLower(body), "<style") != 1 {
			t.Errorf("accepted, and shows: %s", body)
		}
	})
}
