package gateway

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// serveFile serves a folder of a single-page application: files as they are, its
// index.html for every page that is a path of the application's own.
func serveFile(w http.ResponseWriter, r *http.Request, route *route, t target) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	name := t.path
	if route.StripPrefix {
		name = strings.TrimPrefix(name, strings.TrimSuffix(route.Path, "/"))
	}
	name = strings.Trim(name, "/")
	found := name != "" && fs.ValidPath(name) && !hidden(name)
	if found {
		info, err := fs.Stat(route.Files, name)
		found = err == nil && info.Mode().IsRegular()
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if !found {
		// A missing script must not be answered with a page.
		if path.Ext(name) != "" {
			http.NotFound(w, r)
			return
		}
		name = "index.html"
		if _, err := fs.Stat(route.Files, name); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	switch { // no-cache: ask whether it has changed
	case len(h["Set-Cookie"]) > 0:
	case route.Public:
		h.Set("Cache-Control", "no-cache")
	case name == "index.html":
		h.Set("Cache-Control", "private, no-cache")
	}
	http.ServeFileFS(w, stripped(r), route.Files, name)
}

// hidden files are for whoever keeps the folder.
func hidden(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != ".well-known" {
			return true
		}
	}
	return false
}

// stripped keeps net/http from redirecting paths that end in /index.html.
func stripped(r *http.Request) *http.Request {
	out := new(http.Request)
	*out = *r
	u := *r.URL
	u.Path = "/"
	out.URL = &u
	return out
}
