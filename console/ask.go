package console

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// Question is an operator's question: what happens to this request of this person?
type Question struct {
	Who    string // e-mail address, username or sub; empty: nobody is signed in
	Pool   string // that they are of; empty: whichever decides
	Method string
	URL    string
	From   netip.Addr // zero: unknown
	// Organization is the id or the name of the one that the person acts for. Empty: the only one
	// that they are in.
	Organization string
}

// Verdict is the answer to a [Question].
type Verdict struct {
	Level    Level
	Decision string // in a word or two
	Reason   string // one sentence
	Person   string // who was found, with their groups
	Notes    []string
	Route    string
	Also     []string // routes whose permissions are asked, too
	Pool     string
	Asked    []Asked
	Servers  []string
}

// Answer is the verdict in a word.
func (v Verdict) Answer() string {
	switch v.Level {
	case Good:
		return "Yes"
	case Bad:
		return "No"
	}
	return "Not known"
}

// Asked is a permission of a route, and whether the person has it.
type Asked struct {
	Route, Permission string
	Has               bool
	Why               string
}

// methods are those that a form offers.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}

type askPage struct {
	Who, Pool, Method, URL, From string
	Organization                 string
	Organizations                bool // there are some
	Methods, Pools               []string
	Fault                        string
	Verdict                      *Verdict
}

const maxAsked = 4096

func (c *Console) showVerdict(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	page := askPage{
		Who: strings.TrimSpace(q.Get("who")), Pool: q.Get("pool"), Method: q.Get("method"), URL: strings.TrimSpace(q.Get("url")), From: strings.TrimSpace(q.Get("from")),
		Organization: strings.TrimSpace(q.Get("organization")), Organizations: c.Organizations != nil, Methods: methods, Pools: c.poolNames(),
	}
	status := http.StatusOK
	if page.URL != "" {
		if page.Fault = c.ask(r, &page); page.Fault != "" {
			status = http.StatusUnprocessableEntity
		}
	}
	c.show(w, r, id, status, "ask.html", frame{Title: "Would they pass?", Here: c.Prefix + "/ask", Page: page})
}

// ask answers the question of a form, or says what is the matter with it.
func (c *Console) ask(r *http.Request, page *askPage) (fault string) {
	question := Question{Who: page.Who, Pool: page.Pool, Method: page.Method, URL: page.URL, Organization: page.Organization}
	switch {
	case len(page.URL)+len(page.Who)+len(page.Organization) > maxAsked:
		return "That is longer than any URL here."
	case !slices.Contains(methods, page.Method):
		return "Choose a method."
	case page.Pool != "" && !slices.Contains(page.Pools, page.Pool):
		return "There is no such pool."
	}
	if page.From != "" {
		var err error
		if question.From, err = netip.ParseAddr(page.From); err != nil {
			return "From must be an address, such as 10.1.2.3."
		}
	}
	v, err := c.Explain(r.Context(), question)
	if err != nil {
		return "This cannot be said: " + plain(err.Error()) + "."
	}
	page.Verdict = &v
	return ""
}
