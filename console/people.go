package console

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// Pool is a pool whose people operators can look at.
type Pool struct {
	Name, Issuer string
	// Auth has the sessions of its people.
	Auth *codegrant.Auth
	// AtPool returns the pool's current data of a person, or [ErrNotThere]. Defaults to none.
	AtPool func(ctx context.Context, subject string) (PoolUser, error)
	// LookUp updates the replica from the pool, and returns what changed. It returns
	// [ErrNotThere] if neither has the person. Defaults to none.
	LookUp func(ctx context.Context, subject string) ([]string, error)
}

// PoolUser is a person as the pool has them.
type PoolUser struct {
	Username   string
	Enabled    bool
	Status     string
	Attributes map[string]string
	Groups     []string
}

// ErrNotThere: the pool has no such person.
var ErrNotThere = errors.New("the pool has nobody with this sub")

// People is the part of the replica that the console reads. A [replica.Store] implements
// it.
type People interface {
	Replica
	UserByUsername(ctx context.Context, issuer, username string) (replica.User, error)
	UsersByEmail(ctx context.Context, issuer, email string) ([]replica.User, error)
	Users(ctx context.Context, q replica.UserQuery) (replica.UserPage, error)
}

// pool is one of those that there are.
func (c *Console) pool(name string) (Pool, bool) {
	i := slices.IndexFunc(c.Pools, func(p Pool) bool { return p.Name == name })
	if i < 0 {
		return Pool{}, false
	}
	return c.Pools[i], true
}

func (c *Console) poolNames() (names []string) {
	for _, p := range c.Pools {
		names = append(names, p.Name)
	}
	return names
}

type peoplePage struct {
	Search, Pool string
	Pools        []string
	Asked        bool
	Fault        string
	Found        []foundPerson
	More         string // URL of the next page; empty: there is none
	Replicated   bool
	Direct       string // URL of the person of that sub, whom the replica need not know
}

type foundPerson struct {
	replica.User
	URL    string
	State  string
	Level  Level
	Groups string
}

// State is how a person stands, in a word.
func standing(u replica.User) (string, Level) {
	switch {
	case !u.Deleted.IsZero():
		return "deleted", Bad
	case !u.Enabled:
		return "disabled", Bad
	}
	return "enabled", Good
}

func (c *Console) personURL(pool, subject string) string {
	return c.Prefix + "/person?" + url.Values{"pool": {pool}, "sub": {subject}}.Encode()
}

const (
	maxSearch  = 2048
	maxSubject = 255 // as a pool has them, and as package verify takes them
)

func (c *Console) showPeople(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	page := peoplePage{Search: strings.TrimSpace(q.Get("q")), Pool: q.Get("pool"), Pools: c.poolNames(), Asked: q.Has("q"), Replicated: c.People != nil}
	status := http.StatusOK
	pool, ok := c.pool(cmp.Or(page.Pool, c.Pools[0].Name))
	switch {
	case !ok:
		page.Fault, status = "There is no such pool.", http.StatusUnprocessableEntity
	case len(page.Search) > maxSearch:
		page.Fault, status = "That is longer than any name.", http.StatusUnprocessableEntity
	case page.Asked && c.People == nil:
		page.Direct = c.personURL(pool.Name, page.Search)
	case page.Asked:
		if err := c.search(r.Context(), &page, pool, q.Get("after")); errors.Is(err, replica.ErrInvalid) {
			page.Fault, status = "This page of the list does not exist. Search again.", http.StatusUnprocessableEntity
		} else if err != nil {
			page.Fault, status = "The replica does not answer: "+plain(err.Error()), http.StatusServiceUnavailable
		}
	}
	c.show(w, r, id, status, "people.html", frame{Title: "People", Here: c.Prefix + "/people", Page: page})
}

// search finds who is exactly called that first, and then whose names begin with it.
func (c *Console) search(ctx context.Context, page *peoplePage, pool Pool, after string) error {
	seen := make(map[int64]bool)
	add := func(users ...replica.User) {
		for _, u := range users {
			if seen[u.ID] {
				continue
			}
			seen[u.ID] = true
			f := foundPerson{User: u, URL: c.personURL(pool.Name, u.Subject)}
			f.State, f.Level = standing(u)
			var groups []string
			for _, g := range u.Groups {
				groups = append(groups, g.Name)
			}
			f.Groups = strings.Join(groups, ", ")
			page.Found = append(page.Found, f)
		}
	}
	if page.Search != "" && after == "" {
		for _, find := range []func(context.Context, string, string) (replica.User, error){c.People.UserBySubject, c.People.UserByUsername} {
			u, err := find(ctx, pool.Issuer, page.Search)
			if err == nil {
				add(u)
			} else if !errors.Is(err, replica.ErrNotFound) {
				return err
			}
		}
		exact, err := c.People.UsersByEmail(ctx, pool.Issuer, page.Search)
		if err != nil {
			return err
		}
		add(exact...)
	}
	found, err := c.People.Users(ctx, replica.UserQuery{Issuer: pool.Issuer, Search: page.Search, Deleted: true, After: after, Limit: 50})
	if err != nil {
		return err
	}
	add(found.Users...)
	if found.Next != "" {
		page.More = c.Prefix + "/people?" + url.Values{"q": {page.Search}, "pool": {pool.Name}, "after": {found.Next}}.Encode()
	}
	return nil
}

type personPage struct {
	Pool, Subject, Name string
	Action              string
	State               string
	Level               Level
	Known               bool   // by the replica
	NotKnown            string // why nothing of it is shown
	Facts               []compared
	PoolSays            string // why nothing of that is shown; empty: it is
	Groups              []groupRow
	NoSince             string // why it is not shown since when; empty: it is
	Sessions            []codegrant.LiveSession
	Whole               bool
	NoSessions          string
	Lines               []Line
	CanLookUp           bool
	Now                 time.Time
	LastSignIn, AsOf    time.Time
}

// Ago is how long ago something was.
func (p personPage) Ago(t time.Time) string { return age(p.Now.Sub(t)) }

// compared is one attribute, as both say.
type compared struct {
	Name, Replica, Pool string
	Differs             bool
}

type groupRow struct {
	Name, Origin, By, AtPool string
	Since, AsOf              time.Time
	Differs                  bool
	id                       int64
}

// atPoolTimeout is how long a page waits for the pool.
const atPoolTimeout = 4 * time.Second

func (c *Console) showPerson(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	pool, ok := c.pool(q.Get("pool"))
	subject := q.Get("sub")
	if !ok || !subjectOf(subject) {
		c.fail(w, r, id, http.StatusNotFound, "There is nobody at this address.")
		return
	}
	notices := map[string]string{"end": "The session has ended.", "none": "There was no such session any more.", "lookup": "The replica is as the pool is."}
	page := c.person(r.Context(), pool, subject)
	c.show(w, r, id, http.StatusOK, "person.html", frame{Title: "Person", Here: c.Prefix + "/people", Notice: notices[q.Get("done")], Page: page})
}

// subjectOf reports whether a pool may have such a subject. Not every database takes others.
func subjectOf(s string) bool { return s != "" && len(s) <= maxSubject && plain(s) == s }

// person finds out what is known of somebody. What cannot be found out is said on the page.
func (c *Console) person(ctx context.Context, pool Pool, subject string) personPage {
	page := personPage{Pool: pool.Name, Subject: subject, Name: subject, Action: c.Prefix + "/people/act", CanLookUp: pool.LookUp != nil && c.People != nil, Now: c.Now()}
	var u replica.User
	switch {
	case c.People == nil:
		page.NotKnown = "There is no replica."
	default:
		var err error
		switch u, err = c.People.UserBySubject(ctx, pool.Issuer, subject); {
		case errors.Is(err, replica.ErrNotFound):
			page.NotKnown = "The replica does not know this person. It knows people who have signed in here and, with codegrant sync, all others."
		case err != nil:
			page.NotKnown = "The replica does not answer: " + err.Error()
		default:
			page.Known, page.Name, page.LastSignIn, page.AsOf = true, cmp.Or(u.Email, u.Username, subject), u.LastSignIn, u.AsOf
			page.State, page.Level = standing(u)
		}
	}
	at, there := c.atPool(ctx, pool, subject, &page)
	if page.Known || there {
		page.Facts, page.Groups = compare(u, at, page.Known, there)
	}
	if page.Known && c.MembershipsSince != nil {
		since, err := c.MembershipsSince(ctx, u.ID)
		if err != nil {
			page.NoSince = "Since when is not known: " + err.Error()
		}
		for i := range page.Groups {
			page.Groups[i].Since = since[page.Groups[i].id]
		}
	}
	if !page.Known && there {
		page.Name = cmp.Or(at.Attributes["email"], at.Username)
	}
	var err error
	if page.Sessions, page.Whole, err = pool.Auth.Sessions(ctx, subject); err != nil {
		page.NoSessions = "The store of sessions does not answer: " + err.Error()
	} else if !page.Whole && len(page.Sessions) == 0 {
		page.NoSessions = "Sessions are kept in the browsers: none can be seen or ended from here."
	}
	if c.Journal != nil {
		page.Lines = c.Journal.Of(subject)
	}
	return page
}

func (c *Console) atPool(ctx context.Context, pool Pool, subject string, page *personPage) (u PoolUser, there bool) {
	if pool.AtPool == nil {
		page.PoolSays = "The pool was not asked: this process has no AWS credentials that allow it."
		return u, false
	}
	ctx, cancel := context.WithTimeout(ctx, atPoolTimeout)
	defer cancel()
	u, err := pool.AtPool(ctx, subject)
	switch {
	case errors.Is(err, ErrNotThere):
		page.PoolSays = "The pool has nobody with this sub."
	case err != nil:
		page.PoolSays = "The pool did not answer: " + err.Error()
	default:
		return u, true
	}
	return PoolUser{}, false
}

// compare puts what both say beside each other. Attributes that the replica does not keep
// are the pool's alone.
func compare(u replica.User, at PoolUser, known, there bool) (facts []compared, groups []groupRow) {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	left := maps.Clone(at.Attributes)
	add := func(name, attribute, ours string) {
		theirs := at.Attributes[attribute]
		delete(left, attribute)
		facts = append(facts, compared{name, ours, theirs, known && there && ours != theirs})
	}
	add("sub", "sub", u.Subject)
	facts = append(facts,
		compared{"username", u.Username, at.Username, known && there && u.Username != at.Username},
		compared{"enabled", yes(u.Enabled), yes(at.Enabled), known && there && u.Enabled != at.Enabled},
		compared{"status", u.Status, at.Status, known && there && u.Status != "" && u.Status != at.Status})
	add("e-mail", "email", u.Email)
	verified := func(name, attribute string, has string, is bool) {
		theirs := cmp.Or(at.Attributes[attribute], "false")
		delete(left, attribute)
		if has != "" || at.Attributes[strings.TrimSuffix(attribute, "_verified")] != "" {
			facts = append(facts, compared{name, yes(is), yes(theirs == "true"), known && there && is != (theirs == "true")})
		}
	}
	verified("e-mail verified", "email_verified", u.Email, u.EmailVerified)
	for _, a := range [][3]string{
		{"name", "name", u.Name}, {"given name", "given_name", u.GivenName}, {"family name", "family_name", u.FamilyName}, {"telephone", "phone_number", u.PhoneNumber}, {"locale", "locale", u.Locale},
	} {
		if a[2] != "" || at.Attributes[a[1]] != "" {
			add(a[0], a[1], a[2])
		}
	}
	verified("telephone verified", "phone_number_verified", u.PhoneNumber, u.PhoneNumberVerified)
	for _, name := range slices.Sorted(maps.Keys(u.Custom)) {
		add(name, name, u.Custom[name])
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		facts = append(facts, compared{Name: name, Pool: left[name]})
	}
	for i := range facts {
		if !known {
			facts[i].Replica = ""
		}
		if !there {
			facts[i].Pool = ""
		}
	}
	for _, g := range u.Groups {
		row := groupRow{Name: g.Name, Origin: string(g.Origin), AsOf: u.GroupsAsOf, id: g.ID}
		switch {
		case g.Pool && g.Local:
			row.By = "the pool, and here"
		case g.Pool:
			row.By = "the pool"
		default:
			row.By = "here"
		}
		if there {
			in := slices.Contains(at.Groups, g.Name)
			row.AtPool, row.Differs = yes(in), in != g.Pool
		}
		groups = append(groups, row)
	}
	for _, name := range at.Groups {
		if !slices.ContainsFunc(u.Groups, func(g replica.Membership) bool { return g.Name == name }) {
			groups = append(groups, groupRow{Name: name, Origin: "pool", By: "nobody here", AtPool: "yes", Differs: known})
		}
	}
	return facts, groups
}

// lookUpTimeout is how long it may take to bring a person in line.
const lookUpTimeout = 30 * time.Second

// actOnPerson does what a form of a person's page asks for.
func (c *Console) actOnPerson(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	do, subject, session := r.PostForm.Get("do"), r.PostForm.Get("sub"), r.PostForm.Get("session")
	pool, ok := c.pool(r.PostForm.Get("pool"))
	if !ok || !subjectOf(subject) || len(session) > maxSearch || plain(session) != session {
		c.fail(w, r, id, http.StatusBadRequest, "The form is not one of ours. Nothing has been changed.")
		return
	}
	tell := func(outcome string, attrs ...slog.Attr) {
		c.audit(r, id, outcome, append([]slog.Attr{slog.String("action", do), slog.String("pool", pool.Name), slog.String("sub", clip(subject, 128))}, attrs...)...)
	}
	failed := func(err error) {
		tell("failed", slog.String("reason", err.Error()))
		c.fail(w, r, id, http.StatusServiceUnavailable, "This may not have been done, or not completely: "+plain(err.Error())+".")
	}
	back := func(done string) {
		http.Redirect(w, r, c.personURL(pool.Name, subject)+"&done="+done, http.StatusSeeOther)
	}
	ctx := context.WithoutCancel(r.Context()) // an operator who goes on does not mean half of it
	switch {
	case do == "end" && session != "":
		found, err := pool.Auth.EndSession(ctx, subject, session, "an operator ended it")
		switch {
		case err != nil:
			failed(err)
		case !found:
			tell("nothing to do")
			back("none")
		default:
			tell("done", slog.String("session", session[:min(len(session), 12)]))
			back("end")
		}
	case do == "everywhere":
		username := ""
		if c.People != nil {
			if u, err := c.People.UserBySubject(ctx, pool.Issuer, subject); err == nil {
				username = u.Username
			}
		}
		report, err := pool.Auth.SignOutEverywhere(ctx, subject, cmp.Or(username, subject))
		if err != nil {
			failed(err)
			return
		}
		tell("done", slog.Int("sessions", report.Sessions), slog.Int("not_done", len(report.NotDone)))
		c.show(w, r, id, http.StatusOK, "everywhere.html", frame{Title: "Signed out everywhere", Here: c.Prefix + "/people", Page: struct {
			codegrant.Everywhere
			Back string
		}{report, c.personURL(pool.Name, subject)}})
	case do == "lookup" && pool.LookUp != nil:
		ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
		defer cancel()
		changes, err := pool.LookUp(ctx, subject)
		if errors.Is(err, ErrNotThere) {
			tell("nothing to do")
			c.fail(w, r, id, http.StatusNotFound, "The pool has nobody with this sub. Nothing has been changed.")
			return
		}
		if err != nil {
			failed(err)
			return
		}
		tell("done", slog.Int("changes", len(changes)))
		back("lookup")
	default:
		c.fail(w, r, id, http.StatusBadRequest, "The form is not one of ours. Nothing has been changed.")
	}
}
