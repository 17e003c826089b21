package pages

import (
	"net/http"
	"strings"
)

// Navigates reports whether a browser wants a page for a person to see, so that
// sending it to a sign-in makes sense. Fetch metadata says so outright; clients
// without it are judged by what they accept.
func Navigates(r *http.Request) bool {
	if Background(r) || !(r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return Accepts(r, "text/html")
}

// Background reports whether the request was surely not made for a person to
// look at: by a script, for an image, ahead of time.
func Background(r *http.Request) bool {
	h := r.Header
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return true
	}
	// Prefetches and previews look like navigations, and nobody may ever follow them.
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if purpose := strings.ToLower(h.Get(name)); strings.HasPrefix(purpose, "pre") { // prefetch, prerender, preview
			return true
		}
	}
	return strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest") || wantsJSON(r)
}

// wantsJSON reports whether the client names JSON and not HTML.
func wantsJSON(r *http.Request) bool {
	return Accepts(r, "application/json") && !Accepts(r, "text/html")
}

// Accepts reports whether a client names a type of media.
func Accepts(r *http.Request, mediaType string) bool {
	for _, value := range r.Header["Accept"] {
		for part := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}
