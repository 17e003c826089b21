package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

//go:embed html
var files embed.FS

// assets are what pages load, by the name that changes where the content does.
var assets, assetNames = readAssets("console.css", "console.js")

func readAssets(names ...string) (content map[string][]byte, urls map[string]string) {
	content, urls = make(map[string][]byte), make(map[string]string)
	for _, name := range names {
		text, err := files.ReadFile("html/" + name)
		if err != nil {
			panic(err) // it is compiled in
		}
		sum := sha256.Sum256(text)
		stem, ext, _ := strings.Cut(name, ".")
		urls[name] = stem + "." + hex.EncodeToString(sum[:6]) + "." + ext
		content[urls[name]] = text
	}
	return content, urls
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	text, kind := assets[path.Base(r.URL.Path)], "text/css; charset=utf-8"
	if strings.HasSuffix(r.URL.Path, ".js") {
		kind = "text/javascript; charset=utf-8"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(text)
}

// Nothing runs, loads or is sent but from and to here, and nothing frames a page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"plain": plain, "short": short, "at": at, "rfc": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"story": func(prefix string, lines []Line) storyView { return storyView{prefix, lines} },
	"asset": func(prefix, name string) string { return prefix + "/" + assetNames[name] },
}).ParseFS(files, "html/*.html"))

// storyView are lines, with where each leads.
type storyView struct {
	Prefix string
	Lines  []Line
}

// URL leads to the story of a line's request.
func (v storyView) URL(l Line) string { return storyURL(v.Prefix, l) }

// frame is what stands around each page.
type frame struct {
	Prefix, Title string
	Links         []link
	Here          string // URL of the page among Links
	Operator      string
	SignOut       string
	Notice        string
	Live          string // URL of the events that bring the page up to date; empty: none
	Page          any
}

// show answers with a page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, id *codegrant.Identity, status int, name string, f frame) {
	f.Prefix, f.Links, f.SignOut = c.Prefix, c.pages, c.SignOut
	f.Operator = cmp.Or(id.Email, id.Username)
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, f); err != nil {
		c.Logger.ErrorContext(r.Context(), "console page failed", "page", name, "reason", err.Error())
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", "en")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	headers(h)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}

// headers keep an answer harmless. With no-referrer, browsers would send forms with
// "Origin: null".
func headers(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex")
}

// fail answers with a sentence.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, id *codegrant.Identity, status int, text string) {
	c.show(w, r, id, status, "message.html", frame{Title: http.StatusText(status), Page: text})
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		c.fail(w, r, id, http.StatusMethodNotAllowed, "This address does not take that. Nothing has been changed.")
		return
	}
	c.fail(w, r, id, http.StatusNotFound, "There is no page at this address.")
}
