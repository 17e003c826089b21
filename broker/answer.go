package broker

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/internal/pages"
)

// fault is an error of OAuth (RFC 6749, section 5.2; RFC 7591, section 3.2.2): a code for
// programs, and what to do about it.
type fault struct{ code, text string }

func (f *fault) Error() string { return f.code + ": " + f.text }

func faulty(code, text string) *fault { return &fault{code, text} }

// maxForm bounds what is sent to an endpoint, in bytes.
const maxForm = 64 << 10

// parameters are those of a query or a form, where each is there once at most (RFC 6749,
// section 3.1).
func parameters(raw string) (url.Values, *fault) {
	values, err := url.ParseQuery(raw)
	if err != nil || len(raw) > maxForm {
		return nil, faulty("invalid_request", "the parameters cannot be read")
	}
	for name, list := range values {
		switch {
		case name == "resource" && len(list) > 1:
			return nil, faulty("invalid_target", "ask for a token for one resource")
		case len(list) > 1:
			return nil, faulty("invalid_request", "a parameter is there twice")
		}
	}
	return values, nil
}

// form reads the parameters of a POST. Those of the URL are none: they are logged.
func form(r *http.Request) (url.Values, *fault) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, faulty("invalid_request", "send parameters as application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return nil, faulty("invalid_request", "the body cannot be read")
	}
	return parameters(string(body))
}

// refuse answers a program.
func (b *Broker) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	if !errors.As(err, &f) {
		b.unavailable(w, r, err)
		return
	}
	status := http.StatusBadRequest
	if f.code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	answer(w, status, map[string]any{"error": f.code, "error_description": f.text})
}

func (b *Broker) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	b.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("path", r.URL.Path), slog.String("reason", err.Error()))
	w.Header().Set("Retry-After", "2")
	answer(w, http.StatusServiceUnavailable, map[string]any{"error": "temporarily_unavailable", "error_description": "a service that the answer depends on does not respond; try again"})
}

// later answers somebody who has to wait.
func later(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	answer(w, http.StatusTooManyRequests, map[string]any{"error": "temporarily_unavailable", "error_description": "too many requests from this address; try again later"})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // documents of our own
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// tellPerson shows a page about a request that leads nowhere.
func (b *Broker) tellPerson(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	if !errors.As(err, &f) {
		b.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("path", r.URL.Path), slog.String("reason", err.Error()))
		w.Header().Set("Retry-After", "2")
		pages.Render(w, r, http.StatusServiceUnavailable, pages.Unavailable{})
		return
	}
	b.Logger.LogAttrs(r.Context(), slog.LevelWarn, "request refused", slog.String("path", r.URL.Path), slog.String("reason", f.Error()))
	pages.Render(w, r, http.StatusBadRequest, pages.AgentRefused{Reason: f.text})
}

// goTo sends the browser to a client.
func (b *Broker) goTo(w http.ResponseWriter, redirect string, values url.Values) {
	u, err := url.Parse(redirect)
	if err != nil {
		panic(err) // it was parsed when the client was found
	}
	query := u.Query()
	for name, list := range values {
		query[name] = list
	}
	query.Set("iss", b.Issuer) // RFC 9207, against mix-up
	u.RawQuery = query.Encode()
	h := w.Header()
	h.Set("Location", u.String())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}
