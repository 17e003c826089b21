package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant"
)

type refusedPage struct {
	Search, Reference string
	Lines             []Line
	Story             []Line
}

// storyURL leads to the story of a line's request; empty where it is about none.
func storyURL(prefix string, l Line) string {
	reference := l.Attr("correlation")
	if reference == "" {
		reference = l.Request
	}
	if reference == "" {
		return ""
	}
	return prefix + "/refused?" + url.Values{"reference": {reference}}.Encode()
}

// showRefused shows the last refusals, or the story of one.
func (c *Console) showRefused(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	page := refusedPage{Search: clip(strings.TrimSpace(q.Get("q")), maxSearch), Reference: clip(strings.TrimSpace(q.Get("reference")), maxSearch)}
	status := http.StatusOK
	if page.Reference != "" {
		if page.Story = c.Journal.Story(page.Reference); len(page.Story) == 0 {
			status = http.StatusNotFound
		}
	} else {
		page.Lines = c.Journal.Refused(page.Search)
	}
	c.show(w, r, id, status, "refused.html", frame{Title: "Refused", Here: c.Prefix + "/refused", Page: page})
}
