package browser_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/codegrant/codegrant/e2e/browser"
)

// TestForm fills in a form and reads the page that its answer redirects to.
func TestForm(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<!doctype html><form method="post"><input name="name" value="Bob"><button>Send</button></form>`)
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "name", Value: r.FormValue("name")})
		http.Redirect(w, r, "/hello", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := r.Cookie("name")
		if err != nil {
			t.Errorf("page after the form: %v", err)
			return
		}
		fmt.Fprintf(w, `<!doctype html><h1> Hello, %s </h1>`, name.Value)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	b := browser.New(t)
	b.Open(server.URL)
	b.Fill("[name=name]", "Alice")
	b.Click("button")
	b.See("Hello, Alice")
	if got, want := b.Text("h1"), "Hello, Alice"; got != want {
		t.Errorf("Text(h1) = %q, want %q", got, want)
	}
	if got, want := b.URL(), server.URL+"/hello"; got != want {
		t.Errorf("URL() = %q, want %q", got, want)
	}
}

// TestScreenshots looks at a page from a desk and from a phone.
func TestScreenshots(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><meta name="viewport" content="width=device-width"><h1>Hello</h1>`)
	}))
	defer server.Close()
	folder := filepath.Join("..", "artifacts", "TestScreenshots")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}

	b := browser.New(t)
	b.Open(server.URL)
	b.Screenshot("from a desk")
	b.Phone()
	b.Screenshot("from a phone")
	for _, picture := range []struct {
		file     string
		min, max int // width
	}{
		{"from-a-desk.png", 1000, 1400},
		{"from-a-phone.png", 300, 500},
	} {
		content, err := os.ReadFile(filepath.Join(folder, picture.file))
		if err != nil {
			t.Fatal(err)
		}
		size, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if size.Width < picture.min || size.Width > picture.max || size.Height < 500 {
			t.Errorf("%s is %d × %d, want %d to %d wide", picture.file, size.Width, size.Height, picture.min, picture.max)
		}
	}
}

// TestCookies sees that tabs share cookies and browsers do not.
func TestCookies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><p>seen before: %t</p>", err == nil)
	}))
	defer server.Close()

	first, second := browser.New(t), browser.New(t)
	for _, visit := range []struct {
		name    string
		browser *browser.Browser
		want    string
	}{
		{"first visit", first, "seen before: false"},
		{"same tab", first, "seen before: true"},
		{"other tab", first.Tab(), "seen before: true"},
		{"other browser", second, "seen before: false"},
	} {
		visit.browser.Open(server.URL)
		if got := visit.browser.Text("p"); got != visit.want {
			t.Errorf("%s: page says %q, want %q", visit.name, got, visit.want)
		}
	}
}
