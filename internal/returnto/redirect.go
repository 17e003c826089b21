package returnto

import "net/http"

// Redirect sends the browser to a target that was checked, or that we made. It
// writes it verbatim, unlike [http.Redirect], which cleans paths and can thereby
// name a host. Nothing about the redirect is kept by caches or told in Referer.
func Redirect(w http.ResponseWriter, target string, status int) {
	h := w.Header()
	h.Set("Location", target)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
}
