package pages

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Render writes the page of a view, in the look of the context. A Retry-After header is
// the caller's to set.
func Render(w http.ResponseWriter, r *http.Request, status int, view View) {
	of(r.Context()).Render(w, r, status, view)
}

// Key is that of a context's look, a [*Look].
type Key struct{}

func of(ctx context.Context) *Look {
	look, _ := ctx.Value(Key{}).(*Look)
	return look
}

// Render writes the page of a view. Of nil, it is as pages look without a design.
func (l *Look) Render(w http.ResponseWriter, r *http.Request, status int, view View) {
	l.make(view, tongueOf(r)).write(w, r, status)
}

// Answer tells a person that a request has failed, by a page, and a program by a line of
// text. It is cheap: whoever is sent away comes again.
func (l *Look) Answer(w http.ResponseWriter, r *http.Request, status int) {
	if !Navigates(r) {
		http.Error(w, http.StatusText(status), status)
		return
	}
	if l == nil {
		l = plainLook
	}
	t := tongueOf(r)
	key := int64(status)<<32 | int64(t)
	known, ok := l.brief.Load(key)
	if !ok {
		known = l.make(Failed{Status: status}, t)
		l.brief.Store(key, known)
	}
	known.(*made).write(w, r, status)
}

// page is what templates get.
type page struct {
	layout
	Name           string
	Logo, LogoDark template.URL
	Style          template.CSS
	View           View // for templates of one view: its own values
}

// made is a page as it is sent.
type made struct {
	body                       []byte
	language, policy, referrer string
}

// make renders a view in a language.
func (l *Look) make(view View, t tongue) *made {
	if l == nil {
		l = plainLook
	}
	filled := l.filled(view, t)
	var body bytes.Buffer
	if err := l.execute(&body, view, filled); err != nil {
		// A template that passed its check can still fail on unexpected values.
		l = plainLook
		body.Reset()
		if err := l.execute(&body, view, filled); err != nil {
			panic(err) // it is compiled in
		}
	}
	return &made{body: body.Bytes(), language: filled.Language, policy: l.policy + formAction(filled), referrer: referrer(filled)}
}

// filled is what a page says.
func (l *Look) filled(view View, t tongue) layout {
	out := view.layout(t)
	out.SignedInAs = plain(out.SignedInAs)
	out.Language, out.Who = t.String(), t.say("Signed in as")
	out.Reference = t.say("If this keeps happening, contact support and quote this reference:")
	return out
}

func (l *Look) execute(w io.Writer, view View, filled layout) error {
	t, ok := l.of[nameOf(view)]
	if !ok {
		t = l.all
	}
	return t.Execute(&bounded{w, maxPage}, page{layout: filled, Name: l.name, Logo: l.logo, LogoDark: l.dark, Style: l.style, View: view})
}

// maxPage bounds a page: a template can go round and round.
const maxPage = 1 << 20

// bounded fails once more is written than there is room for.
type bounded struct {
	to   io.Writer
	room int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, errors.New("the page is larger than 1 MiB")
	}
	return b.to.Write(p)
}

func (m *made) write(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", m.language)
	h.Set("Content-Length", strconv.Itoa(len(m.body)))
	h.Set("Content-Security-Policy", m.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", m.referrer)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(m.body)
	}
}

// referrer tells nobody where a person comes from, save this origin of its own
// forms: with no-referrer, browsers send them with "Origin: null" (Fetch, "append
// a request Origin header"), and those without Sec-Fetch-Site look like an attack.
// The path and query of a page whose URL has a secret do not go there, either.
func referrer(page layout) string {
	switch {
	case page.posts() && page.secret:
		return "strict-origin"
	case page.posts(), page.refers && !page.secret:
		return "same-origin"
	}
	return "no-referrer"
}

// formAction lists what the page's form may lead to. Browsers hold not only the
// form's target to it, but every redirect that follows. Where somebody else decides on those,
// a scheme takes the place of origins.
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
	case origin == "https:" || origin == "http:":
		return origin
	case err == nil && isAppScheme(u.Scheme):
		return u.Scheme + ":" // an app has no origin
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return ""
	case strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "":
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// isAppScheme knows schemes of apps, which have a domain's name in them (RFC 8252, section
// 7.1). No other scheme is let into the policy: javascript and data have no dot.
func isAppScheme(scheme string) bool {
	return strings.Contains(scheme, ".") && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}
