package organization

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
	"github.com/codegrant/codegrant/replica"
)

const maxForm = 32 << 10

// Mail is what goes to somebody who is invited.
type Mail struct {
	To           string
	Language     string // that Subject and Text are in, such as de
	Subject      string // a line of text
	Text         string // plain text, with the URL in it
	Organization string // its name, which a member has chosen: show it as text
	Role         string
	URL          string // where the invitation is accepted; it has the token in it
	Expires      time.Time
}

// PagesConfig is what [NewPages] needs. Auth, Store and People are required.
type PagesConfig struct {
	// Auth signs people in, with Store.Active as its Organization.
	Auth  *codegrant.Auth
	Store *Store
	// People is the replica, for the names of members.
	People replica.Store
	// Prefix is where Auth is mounted. Defaults to /auth: the pages are at /auth/organization.
	Prefix string
	// Send sends an invitation, by e-mail or however the application does. Defaults to none:
	// nobody invites on the pages then.
	Send func(ctx context.Context, m Mail) error
	// CreateUser makes a user of the pool for an address, which the invitation has verified,
	// unless somebody has it. It is called for somebody who has opened an invitation, is not
	// signed in, and asks for an account: so nobody is made a user before they come. Limit
	// how often it asks the pool: [ErrTooOften] is answered with 429. [ErrNoUser] says that the
	// pool refuses for good; any other error, that it does not answer. Defaults to none: people
	// sign up on the pool's pages.
	CreateUser func(ctx context.Context, email string) error
	// Logger gets what people change, never addresses and tokens. Defaults to [slog.Default].
	Logger *slog.Logger
}

// Pages are the endpoint and the pages. They are safe for concurrent use.
type Pages struct {
	PagesConfig
	home  string
	pages map[string]http.Handler
}

// NewPages checks the configuration. It asks nobody anything.
func NewPages(config PagesConfig) (*Pages, error) {
	if config.Auth == nil || config.Store == nil || config.People == nil {
		return nil, errors.New("configure the pages of organizations: they need Auth, Store and People")
	}
	config.Logger = cmp.Or(config.Logger, slog.Default())
	config.Prefix = "/" + strings.Trim(cmp.Or(config.Prefix, "/auth"), "/")
	p := &Pages{PagesConfig: config, home: strings.TrimSuffix(config.Prefix, "/") + "/organization"}
	p.pages = map[string]http.Handler{
		"":            p.page(p.overview, p.change, ofTheirOwn),
		"/members":    p.page(p.members, p.changeMembers, ofTheirOwn, codegrant.InOrganization(config.Store.Manager())),
		"/invitation": p.open(p.invitation, p.accept),
	}
	return p, nil
}

// Mount registers the pages, below the prefix of Auth.
func (p *Pages) Mount(mux *http.ServeMux) {
	mux.Handle(p.home, p)
	mux.Handle(p.home+"/", p)
}

// ServeHTTP implements [http.Handler].
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	page := p.pages[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, p.home), "/")]
	if page == nil {
		p.Auth.Answer(w, r, http.StatusNotFound, nil)
		return
	}
	page.ServeHTTP(w, r)
}

// ofTheirOwn is who may use the pages: whoever acts for somebody is somebody else, and what a
// person acts for is a matter of a session.
var ofTheirOwn = codegrant.PermissionFunc("a session of one's own", func(_ context.Context, id *codegrant.Identity, _ *http.Request) (bool, error) {
	return id != nil && !id.Machine && id.Actor == nil && id.SessionID() != "", nil
})

// visit is a request of somebody who may use a page; id is nil on the page of an invitation
// where nobody is signed in.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	id   *codegrant.Identity
	form url.Values // of a POST
	// secret says that the page's URL has one.
	secret bool
}

func (v *visit) say(t text, values ...any) string { return pages.Text(v.r, string(t), values...) }

// visited makes a visit of a request, and refuses what is none.
func (p *Pages) visited(get, post func(*visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		v := &visit{w: w, r: r, id: id}
		if r.Method != http.MethodPost {
			get(v)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			p.Auth.Answer(w, r, http.StatusBadRequest, nil)
			return
		}
		v.form = r.PostForm
		post(v)
	})
}

func (p *Pages) page(get, post func(*visit), permissions ...codegrant.Permission) http.Handler {
	return p.guarded(p.Auth.Require(permissions...)(p.visited(get, post)))
}

// open is a page that strangers see.
func (p *Pages) open(get, post func(*visit)) http.Handler {
	return p.guarded(p.Auth.Identify(p.visited(get, post)))
}

func (p *Pages) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			p.Auth.Answer(w, r, http.StatusMethodNotAllowed, nil)
			return
		}
		if err := p.Auth.CheckOrigin(r); err != nil { // also where the application looks after that
			p.Auth.Refuse(w, r, &codegrant.Identity{}, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// failed answers where something was not done. say is what a person reads of a refusal.
func (p *Pages) failed(v *visit, err error, show func(*visit, string)) {
	if !IsRefusal(err) {
		p.Auth.Refuse(v.w, v.r, v.id, fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err))
		return
	}
	status, why := http.StatusConflict, text("")
	switch {
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, errManages):
		status = http.StatusForbidden
	case errors.Is(err, ErrRole):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, ErrAddress):
		status, why = http.StatusUnprocessableEntity, noAddress
	case errors.Is(err, ErrLastManager):
		why = lastManager
	case errors.Is(err, ErrMember):
		why = isThere
	case errors.Is(err, ErrTooMany):
		why = tooMany
	case errors.Is(err, ErrTooOften):
		status, why = http.StatusTooManyRequests, tooOften
	case errors.Is(err, ErrInvitation):
		status, why = http.StatusGone, notGood
	}
	if why == "" || !pages.Navigates(v.r) {
		p.Auth.Answer(v.w, v.r, status, nil)
		return
	}
	show(v, v.say(why))
}

// log writes of an event, never with a name or an address.
func (p *Pages) log(v *visit, event string, more ...slog.Attr) {
	p.Logger.LogAttrs(v.r.Context(), slog.LevelInfo, event, append([]slog.Attr{slog.String("sub", v.id.Subject)}, more...)...)
}

// by names somebody in the tables.
func by(id *codegrant.Identity) string { return cmp.Or(id.Username, id.Subject) }

// asked is the context of something that is done whatever becomes of the connection.
func (v *visit) asked() context.Context { return context.WithoutCancel(v.r.Context()) }

// show renders a page. why is what kept something from being done.
func (p *Pages) show(v *visit, title, why string, sections ...pages.Section) {
	status := http.StatusOK
	if why != "" {
		status = http.StatusUnprocessableEntity
		if len(sections) == 0 {
			sections = []pages.Section{{}}
		}
		sections[0].Fault = why
	}
	view := pages.Account{Title: title, Sections: sections, Links: []pages.Link{{URL: "/", Text: v.say(toStart)}}, Secret: v.secret}
	if v.id != nil {
		view.SignedInAs = cmp.Or(v.id.Email, v.id.Username)
	}
	if done, ok := outcomes[v.r.URL.Query().Get("done")]; ok && v.form == nil {
		view.Done = v.say(done)
	}
	pages.Render(v.w, v.r, status, view)
}

// outcomes are what a page can be told in its query to have been done.
var outcomes = map[string]text{
	"chosen": actsNow, "left": hasLeft, "joined": isMember, "removed": wasRemoved, "role": roleChanged, "sent": wasSent, "revoked": takenBack,
}

// done leads to a page that says what was done, so that a reload does not do it again.
// Programs get what a GET would answer.
func (p *Pages) done(v *visit, path, outcome string, get func(*visit)) {
	if !pages.Navigates(v.r) {
		v.form = nil
		get(v)
		return
	}
	returnto.Redirect(v.w, p.home+path+"?done="+outcome, http.StatusSeeOther)
}

// acting is an organization as programs get it.
type acting struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// mine are the organizations of whoever asks, and the active one. It has answered the
// request itself where it reports false.
func (p *Pages) mine(v *visit) (all []Membership, active string, ok bool) {
	all, acts, err := p.Store.of(v.r.Context(), v.id)
	if err != nil {
		p.failed(v, err, nil)
		return nil, "", false
	}
	if acts != nil {
		active = acts.ID // before they are sorted
	}
	slices.SortFunc(all, func(a, b Membership) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, active, true
}

func (p *Pages) overview(v *visit) { p.showOverview(v, "") }

func (p *Pages) showOverview(v *visit, why string) {
	all, active, ok := p.mine(v)
	if !ok {
		return
	}
	if !pages.Navigates(v.r) {
		list := struct {
			Active        *acting  `json:"active"`
			Organizations []acting `json:"organizations"`
		}{Organizations: []acting{}}
		for _, m := range all {
			list.Organizations = append(list.Organizations, acting{m.ID, m.Name, m.Role})
			if m.ID == active {
				list.Active = &list.Organizations[len(list.Organizations)-1]
			}
		}
		writeJSON(v.w, list)
		return
	}
	s := pages.Section{Message: v.say(chooseOne)}
	if len(all) == 0 {
		s.Message = v.say(inNone)
	}
	from, _ := strconv.Atoi(v.r.URL.Query().Get("from"))
	from = min(max(from, 0), len(all))
	shown := all[from:min(from+page, len(all))]
	for _, m := range all {
		if m.ID == active {
			s.Message = v.say(actFor, m.Name)
		}
	}
	if from+len(shown) < len(all) {
		s.Links = []pages.Link{{URL: p.home + "?from=" + strconv.Itoa(from+len(shown)), Text: v.say(moreOrganizations)}}
	}
	for _, m := range shown {
		item := pages.Item{Title: m.Name, Lines: []string{v.say(yourRole, m.Role)}}
		form := func(t text, field string) pages.Form {
			return pages.Form{URL: p.home, Text: v.say(t), For: m.Name, Quiet: true, Fields: []pages.Field{{Name: field, Value: m.ID}}}
		}
		if m.ID == active {
			if m.Role == p.Store.Manager() {
				item.Links = []pages.Link{{URL: p.home + "/members", Text: v.say(membersLink), For: m.Name}}
			}
		} else {
			item.Forms = []pages.Form{form(toActFor, "organization")}
		}
		item.Forms = append(item.Forms, form(toLeave, "leave"))
		s.Items = append(s.Items, item)
	}
	p.show(v, v.say(yourOrganizations), why, s)
}

// change switches, by the field organization, or leaves, by the field leave.
func (p *Pages) change(v *visit) {
	switch organization, leave := v.form["organization"], v.form["leave"]; {
	case len(organization) == 1 && len(leave) == 0:
		m, err := p.Store.Choose(v.asked(), v.id, organization[0])
		if err != nil {
			p.failed(v, err, p.showOverview)
			return
		}
		p.log(v, "organization chosen", slog.String("organization", m.ID))
		p.done(v, "", "chosen", p.overview)
	case len(leave) == 1 && len(organization) == 0:
		if err := p.Store.Remove(v.asked(), leave[0], v.id.UserID, by(v.id)); err != nil {
			p.failed(v, err, p.showOverview)
			return
		}
		p.log(v, "organization left", slog.String("organization", leave[0]))
		p.done(v, "", "left", p.overview)
	default:
		p.Auth.Answer(v.w, v.r, http.StatusBadRequest, nil)
	}
}
