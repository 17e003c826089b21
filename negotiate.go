package codegrant

import (
	"net/http"

	"github.com/codegrant/codegrant/internal/pages"
)

// navigates reports whether a browser wants a page for a person to see, so that
// sending it to a sign-in makes sense.
func navigates(r *http.Request) bool { return pages.Navigates(r) }

// background reports whether the request was surely not made for a person to
// look at: by a script, for an image, ahead of time.
func background(r *http.Request) bool { return pages.Background(r) }

// visits reports whether a person goes to this address: the whole window shows what is
// there, and nothing of another page does.
func visits(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document":
		return navigates(r)
	}
	return false
}
