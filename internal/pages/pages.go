package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's parts
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
)

// Page is one page with at most one thing to do on it.
type Page struct {
	Title   string
	Message string   // plain text; may come from strangers
	Details []string // further lines
	// Correlation is what an operator can look for in the log.
	Correlation string

	// Link goes on, where it is set.
	Link, LinkText string
	// Post is the target of a form without fields, where it is set.
	Post, PostText string
	// PostOrigin is where the answer to the form redirects to: browsers check
	// that against the page's policy too.
	PostOrigin string
}

var (
	//go:embed page.html
	source string
	//go:embed page.css
	css string

	style    = template.CSS(css)
	pin      = sha256.Sum256([]byte(css))
	pinned   = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(pin[:]) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
	tmpl     = template.Must(template.New("page").Funcs(template.FuncMap{"style": func() template.CSS { return style }}).Parse(source))
	noSniff  = []string{"nosniff"}
	language = "en"
)

// Render writes the page.
func Render(w http.ResponseWriter, r *http.Request, status int, page Page) {
	var body bytes.Buffer
	if err := tmpl.Execute(&body, page); err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	policy := pinned
	if page.PostOrigin != "" {
		policy += " " + page.PostOrigin
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", language)
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}
