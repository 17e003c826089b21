package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

var (
	//go:embed page.html
	source string
	//go:embed page.css
	sheet string
	// Proxies that are told a page in a variable, as HAProxy is, can pass on no line
	// breaks; between tags they do not count, but the policy has a hash of the style.
	style = strings.ReplaceAll(sheet, "\n", " ")

	tmpl = template.Must(template.New("page").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
	}).Parse(source))

	pin    = sha256.Sum256([]byte(style))
	policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(pin[:]) +
		"'; frame-ancestors 'none'; base-uri 'none'; form-action "
)

// Render writes the page of a view. A Retry-After header is the caller's to set.
func Render(w http.ResponseWriter, r *http.Request, status int, view View) {
	t := tongueOf(r)
	page := view.layout(t)
	page.SignedInAs = plain(page.SignedInAs)
	page.Language, page.Who = t.String(), t.say("Signed in as")
	page.Reference = t.say("Does it not go away? Tell the people who run this service, with this reference:")
	var body bytes.Buffer
	if err := tmpl.Execute(&body, page); err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Language)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", policy+formAction(page))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", referrer(page))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}

// referrer tells nobody where a person comes from, save this origin of its own
// forms: with no-referrer, browsers send them with "Origin: null" (Fetch, "append
// a request Origin header"), and those without Sec-Fetch-Site look like an attack.
func referrer(page layout) string {
	if page.posts() {
		return "same-origin"
	}
	return "no-referrer"
}

// formAction lists what the page's form may lead to. Browsers hold not only the
// form's target to it, but every redirect that follows.
func formAction(page layout) string {
	if !page.posts() {
		return "'none'"
	}
	sources := []string{"'self'"}
	for _, origin := range page.redirects {
		if s := formSource(origin); s != "" {
			sources = append(sources, s)
		}
	}
	return strings.Join(sources, " ")
}

// formSource writes an origin as a source of Content Security Policy Level 3,
// section 2.3.1. Its grammar has no IPv6 addresses; the scheme has to do there.
func formSource(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return ""
	case strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "":
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}
