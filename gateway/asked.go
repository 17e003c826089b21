package gateway

import (
	"errors"
	"net/http"
	"strconv"
)

// This file has the parts of an answer to a proxy that do not identify the person. With them,
// the proxy can do to a request what [Gateway] does as a reverse proxy.

// CookieHeader, with a number from 1 to 16 behind it, carries each Set-Cookie of an
// answer to nginx, which joins several lines of one name, or keeps the first.
const CookieHeader = "X-Auth-Set-Cookie-"

const maxNginxCookies = 16

var errCookies = errors.New("the answer has more cookies than nginx can pass on")

// proofHeaders are those of a request that may hold what is for nobody but the gateway.
// A proxy that has said which request it asks about is told how the application is to
// see them: empty is not at all. Nobody else is told: scripts of a page read answers,
// and must not read cookies.
var proofHeaders = []string{"Cookie", "Authorization"}

// passAsked tells a proxy who may pass, and what the application is to see.
func (g *Gateway) passAsked(w http.ResponseWriter, r *http.Request, c *call, asked *original) {
	h := w.Header()
	for _, name := range proofHeaders {
		if lines := r.Header[name]; len(lines) == 1 || name == "Cookie" && len(lines) > 0 {
			h[name] = lines[:len(lines):len(lines)]
		}
	}
	if err := g.present(h, c, false); err != nil {
		g.unsigned(w, r, err)
		return
	}
	for _, name := range proofHeaders {
		if len(h[name]) == 0 {
			h[name] = nothing
		}
	}
	if asked.nginx {
		if err := numberCookies(h); err != nil {
			g.untold(w, r, err)
			return
		}
	}
	c.recorder.status = http.StatusOK // as in passCheck
}

// numberCookies gives each cookie of an answer a header of its own.
func numberCookies(h http.Header) error {
	cookies := h["Set-Cookie"]
	for i, cookie := range cookies[:min(len(cookies), maxNginxCookies)] {
		h[CookieHeader+strconv.Itoa(i+1)] = []string{cookie}
	}
	if len(cookies) > maxNginxCookies {
		return errCookies
	}
	return nil
}
