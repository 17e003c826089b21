package codegrant

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// ownSession is a session as programs get it.
type ownSession struct {
	ID       string     `json:"id"`
	Current  bool       `json:"current"`
	SignedIn time.Time  `json:"signed_in"`
	LastUsed *time.Time `json:"last_used,omitempty"` // to a tenth of the idle lifetime
	Expires  time.Time  `json:"expires"`
	Browser  string     `json:"browser,omitempty"`
	System   string     `json:"system,omitempty"`
	Address  string     `json:"address,omitempty"`
}

type ownSessions struct {
	Sessions []ownSession `json:"sessions"`
	Complete bool         `json:"complete"` // false: there may be others, which cannot be ended from here
	Limit    int          `json:"limit,omitempty"`
	NotDone  []NotDone    `json:"not_done,omitempty"` // of what was just ended
}

// tokenSealed is why ending another session does not reach the pool: AdminUserGlobalSignOut
// would end this session's refresh token with it, and a mark the session.
var tokenSealed = NotDone{"refresh_tokens", "The user pool was not notified. The refresh token of an ended session is sealed under the cookie of its browser, so this service cannot revoke it. The pool accepts it until it expires. Sign out everywhere, and this service refuses it."}

const (
	maxOwnForm    = 4 << 10
	maxAgentShown = 120
)

// noteOf says where a request comes from.
func (s *site) noteOf(r *http.Request) keep.Note {
	address := ""
	if s.Own.ClientAddress != nil {
		address = s.Own.ClientAddress(r)
	} else if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		address = host
	}
	return keep.Note{Agent: r.UserAgent(), Address: address}
}

// describe puts a User-Agent header in words.
func (o *own) describe(agent string) (browser, system string) {
	if o.Own.DescribeAgent != nil {
		if browser, system = o.Own.DescribeAgent(agent); browser != "" || system != "" {
			return browser, system
		}
	}
	if len(agent) > maxAgentShown {
		agent = bounded(agent[:maxAgentShown]) + "…"
	}
	return agent, ""
}

// serve answers GET with the person's sessions, and ends them by POST: the field "end" is
// the id of one, "others", or "everywhere".
func (o *own) serve(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		o.methodNotAllowed(w, r, "GET, HEAD, POST")
		return
	}
	req, ok := o.identify(w, r)
	if !ok {
		return
	}
	id := req.identity
	if id == nil {
		o.unauthorized(w, r, req.failure)
		return
	}
	if r.Method == http.MethodPost {
		if err := o.checkOrigin(r); err != nil { // also where handlers of the application look after that
			o.forbidden(w, r, id, fmt.Errorf("%w: %w", fault.CrossOrigin, err))
			return
		}
	}
	held, ok := id.proof.(*keep.Held)
	if !ok {
		o.forbidden(w, r, id, fmt.Errorf("%w: only a person with a session can see and end sessions, and this request proves the person by %s", ErrForbidden, id.Method))
		return
	}
	if r.Method == http.MethodPost {
		o.end(w, r, id, held)
		return
	}
	o.show(w, r, id, held)
}

// end ends what the form names.
func (o *own) end(w http.ResponseWriter, r *http.Request, id *Identity, held *keep.Held) {
	r.Body = http.MaxBytesReader(w, r.Body, maxOwnForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm["end"]) != 1 {
		o.problem(w, r, http.StatusBadRequest, nil)
		return
	}
	var done string
	var err error
	notDone := []NotDone{tokenSealed}
	switch which := r.PostForm.Get("end"); which {
	case "everywhere":
		o.everywhere(w, r, id, held)
		return
	case "others":
		var whole bool
		if _, whole, err = o.sessions.EndOthers(r.Context(), held); !whole {
			notDone = append(notDone, othersUnknown)
		}
		done = "others"
	default:
		if which == string(held.Key) {
			o.out.leave(w, r)
			return
		}
		var found bool
		if found, err = o.sessions.EndOther(r.Context(), held, keep.Key(which)); err == nil && !found {
			o.problem(w, r, http.StatusNotFound, nil)
			return
		}
		done = "one"
	}
	switch {
	case errors.Is(err, keep.ErrNoList):
		o.noList(w, r)
	case err != nil:
		o.unavailable(w, r, err)
	case navigates(r):
		returnto.Redirect(w, o.path("/sessions")+"?done="+done, http.StatusSeeOther)
	default:
		o.show(w, r, id, held, notDone...)
	}
}

// noList says that sessions of others are out of reach.
func (o *own) noList(w http.ResponseWriter, r *http.Request) {
	if navigates(r) {
		o.look.Answer(w, r, http.StatusConflict)
		return
	}
	writeProblem(w, problemDocument{
		Type: problemTypes + "sessions-out-of-reach", Title: "Sessions out of reach", Status: http.StatusConflict,
		Detail: "Sessions are kept in the browsers here: each of them can end its own, and \"everywhere\" ends all.",
	})
}

// show answers with the sessions, as a page or as JSON.
func (o *own) show(w http.ResponseWriter, r *http.Request, id *Identity, held *keep.Held, notDone ...NotDone) {
	all, whole, err := o.sessions.List(r.Context(), held)
	if err != nil {
		o.unavailable(w, r, err)
		return
	}
	list := ownSessions{Sessions: []ownSession{}, Complete: whole, Limit: o.Own.PerPerson, NotDone: notDone}
	for _, one := range all {
		s := ownSession{ID: string(one.Key), Current: one.Current, SignedIn: one.Created.UTC(), Expires: one.Expires.UTC(), Address: one.Note.Address}
		if !one.LastSeen.IsZero() {
			seen := one.LastSeen.UTC()
			s.LastUsed = &seen
		}
		s.Browser, s.System = o.describe(one.Note.Agent)
		list.Sessions = append(list.Sessions, s)
	}
	if !navigates(r) {
		writeJSON(w, http.StatusOK, list)
		return
	}
	o.look.Render(w, r, http.StatusOK, o.page(r.URL.Query(), id, list))
}

func (o *own) page(query url.Values, id *Identity, list ownSessions) pages.Sessions {
	page := pages.Sessions{
		SignedInAs: cmp.Or(id.Email, id.Username), Home: o.DefaultReturnURL, Action: o.path("/sessions"), Ended: query.Get("done"), Elsewhere: !list.Complete,
		Redirects: []string{o.poolScheme(), originOf(o.signOutURL(""))},
	}
	for _, s := range list.Sessions {
		shown := pages.Session{ID: s.ID, Browser: s.Browser, System: s.System, Address: s.Address, SignedIn: s.SignedIn, Current: s.Current}
		if s.LastUsed != nil {
			shown.LastUsed = *s.LastUsed
		}
		page.List = append(page.List, shown)
	}
	return page
}
