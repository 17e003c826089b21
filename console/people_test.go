package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/replica"
)

// crowd is a replica of a few people.
type crowd struct {
	all []replica.User
	err error
}

func (c *crowd) find(is func(replica.User) bool) (replica.User, error) {
	if c.err != nil {
		return replica.User{}, c.err
	}
	if i := slices.IndexFunc(c.all, is); i >= 0 {
		return c.all[i], nil
	}
	return replica.User{}, replica.ErrNotFound
}

func (c *crowd) UserBySubject(_ context.Context, issuer, subject string) (replica.User, error) {
	return c.find(func(u replica.User) bool { return u.Issuer == issuer && u.Subject == subject })
}

func (c *crowd) UserByUsername(_ context.Context, issuer, name string) (replica.User, error) {
	return c.find(func(u replica.User) bool { return u.Issuer == issuer && u.Username == name })
}

func (c *crowd) UsersByEmail(_ context.Context, issuer, email string) (found []replica.User, err error) {
	for _, u := range c.all {
		if u.Issuer == issuer && u.Email == email {
			found = append(found, u)
		}
	}
	return found, c.err
}

func (c *crowd) Users(_ context.Context, q replica.UserQuery) (page replica.UserPage, err error) {
	if q.After != "" && q.After != "more" {
		return page, replica.ErrInvalid
	}
	for _, u := range c.all {
		if u.Issuer == q.Issuer && (strings.HasPrefix(u.Email, q.Search) || strings.HasPrefix(u.Username, q.Search)) {
			page.Users = append(page.Users, u)
		}
	}
	page.Next = "more"
	return page, c.err
}

// staffed is a desk with a replica that has alice, who is an operator, and bob.
type staffed struct {
	*desk
	people   *crowd
	pool     console.PoolUser
	poolErr  error
	lookedUp []string
	alice    *http.Client
	sub      string // of alice
}

const issuer = "the pool"

func newStaffed(t *testing.T, change func(*console.Config)) *staffed {
	t.Helper()
	s := &staffed{people: new(crowd)}
	s.desk = newDesk(t, func(c *console.Config) {
		c.People, c.Replica, c.Journal = s.people, anybody{}, new(console.Journal)
		c.Journal.Start()
		c.Pools = []console.Pool{{
			Name: "one", Issuer: issuer, Auth: c.Auth,
			AtPool: func(context.Context, string) (console.PoolUser, error) { return s.pool, s.poolErr },
			LookUp: func(_ context.Context, subject string) ([]string, error) {
				s.lookedUp = append(s.lookedUp, subject)
				if subject == "nobody" {
					return nil, console.ErrNotThere
				}
				return []string{"e-mail"}, nil
			},
		}}
		if change != nil {
			change(c)
		}
	})
	s.alice = s.signIn("alice")
	s.sub = s.subOf(s.alice)
	s.people.all = []replica.User{{
		ID: 1, Issuer: issuer, Subject: s.sub, Username: "alice", Email: "alice@example.com", EmailVerified: true, Enabled: true, Status: "CONFIRMED", Custom: map[string]string{"custom:team": "blue"},
		Groups:     []replica.Membership{{Group: replica.Group{Name: "admins", Origin: replica.OriginPool}, Pool: true}, {Group: replica.Group{Name: "helpers", Origin: replica.OriginLocal}, Local: true}},
		GroupsAsOf: time.Now(), LastSignIn: time.Now(),
	}}
	return s
}

// anybody is a replica that has everybody in the group.
type anybody struct{}

func (anybody) UserBySubject(context.Context, string, string) (replica.User, error) {
	return replica.User{Enabled: true, Groups: []replica.Membership{{Group: replica.Group{Name: "admins", Origin: replica.OriginPool}, Pool: true}}}, nil
}

var subInLog = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// subOf is whose session a client has.
func (d *desk) subOf(client *http.Client) string {
	d.t.Helper()
	r, body := d.get(client, "/auth/user", func(r *http.Request) { r.Header.Set("Accept", "application/json"); r.Header.Del("Sec-Fetch-Mode") })
	sub := subInLog.FindString(body)
	if sub == "" {
		d.t.Fatalf("%d %s", r.StatusCode, body)
	}
	return sub
}

func person(sub string) string {
	return "/console/person?" + url.Values{"pool": {"one"}, "sub": {sub}}.Encode()
}

// sessionIn is the first session that a page can end.
func sessionIn(t *testing.T, body string) string {
	t.Helper()
	m := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no session is on the page: %s", body)
	}
	return strings.ReplaceAll(m[1], "&#43;", "+")
}

// TestPeople: a person is found by what they are called, and shown with what both the
// replica and the pool say.
func TestPeople(t *testing.T) {
	s := newStaffed(t, nil)
	s.pool = console.PoolUser{Username: "alice", Enabled: true, Status: "CONFIRMED", Groups: []string{"new"}, Attributes: map[string]string{
		"sub": s.sub, "email": "alice@example.org", "email_verified": "true", "custom:team": "red", "website": "https://a.example.com",
	}}
	for _, search := range []string{"alice@example.com", "alice", s.sub, "ali"} {
		r, body := s.get(s.alice, "/console/people?q="+url.QueryEscape(search))
		if r.StatusCode != 200 || strings.Count(body, "/console/person?") != 1 || !strings.Contains(body, "after=more") {
			t.Errorf("%s: %d %s", search, r.StatusCode, body)
		}
	}
	if _, body := s.get(s.alice, "/console/people?q=zoe"); !strings.Contains(body, "Nobody is called that") {
		t.Errorf("nobody: %s", body)
	}
	_, body := s.get(s.alice, person(s.sub))
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ")
	text = strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"e-mail differs alice@example.com alice@example.org", "custom:team differs blue red", "website https://a.example.com", "username alice alice",
		"admins differs pool the pool", "helpers local here", "new differs pool nobody here", "127.0.0.1", "The replica is as of",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q: %s", want, text)
		}
	}
	s.poolErr = console.ErrNotThere
	if _, body := s.get(s.alice, person(s.sub)); !strings.Contains(body, "nobody with this sub") || strings.Contains(body, "differs") {
		t.Error("gone from the pool")
	}
	s.poolErr = errors.New("no credentials")
	if _, body := s.get(s.alice, person(s.sub)); !strings.Contains(body, "no credentials") {
		t.Error("the pool does not say")
	}
	s.people.err = errors.Join(replica.ErrUnavailable, errors.New("away"))
	if r, body := s.get(s.alice, person(s.sub)); r.StatusCode != 200 || !strings.Contains(body, "The replica does not answer") {
		t.Errorf("without the replica: %d", r.StatusCode)
	}
	if r, _ := s.get(s.alice, "/console/people?q=a"); r.StatusCode != 503 {
		t.Errorf("search without the replica: %d", r.StatusCode)
	}
	s.people.err = nil
	for path, want := range map[string]int{
		"/console/people?q=a&pool=two": 422, "/console/people?q=a&after=forged": 422, "/console/people?q=" + strings.Repeat("a", 3000): 422,
		"/console/person?pool=two&sub=x": 404, "/console/person?pool=one&sub=": 404,
	} {
		if r, _ := s.get(s.alice, path); r.StatusCode != want {
			t.Errorf("%.60s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

// TestActions: an operator ends a session, all of them, and has a person looked up.
func TestActions(t *testing.T) {
	s := newStaffed(t, nil)
	bob := s.signIn("bob")
	sub := s.subOf(bob)
	_, body := s.get(s.alice, person(sub))
	act := func(form url.Values) (*http.Response, string) {
		t.Helper()
		form.Set("pool", "one")
		form.Set("sub", sub)
		return s.post(s.alice, "/console/people/act", form)
	}
	if r, _ := act(url.Values{"do": {"end"}, "session": {sessionIn(t, body)}}); r.StatusCode != 303 || !strings.HasSuffix(r.Header.Get("Location"), "done=end") {
		t.Errorf("end: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r, _ := s.get(bob, "/auth/user", func(r *http.Request) { r.Header.Del("Sec-Fetch-Mode") }); r.StatusCode != 401 {
		t.Errorf("the ended session: %d", r.StatusCode)
	}
	if _, after := s.get(s.alice, person(sub)+"&done=end"); !strings.Contains(after, "The session has ended.") || !strings.Contains(after, "no live sessions") {
		t.Error("afterwards")
	}
	if r, _ := act(url.Values{"do": {"end"}, "session": {sessionIn(t, body)}}); !strings.HasSuffix(r.Header.Get("Location"), "done=none") {
		t.Errorf("once more: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	again := codegranttest.NewBrowser(t)
	again.SignIn(s.url+"/auth/login", "bob@example.com", codegranttest.Password)
	if r, body := act(url.Values{"do": {"everywhere"}}); r.StatusCode != 200 || !strings.Contains(body, "1 session has ended") {
		t.Errorf("everywhere: %d %s", r.StatusCode, body)
	}
	if r, _ := s.get(again.Client, "/auth/user", func(r *http.Request) { r.Header.Del("Sec-Fetch-Mode") }); r.StatusCode != 401 {
		t.Errorf("signed out everywhere: %d", r.StatusCode)
	}
	if r, _ := act(url.Values{"do": {"lookup"}}); r.StatusCode != 303 || len(s.lookedUp) != 1 || s.lookedUp[0] != sub {
		t.Errorf("lookup: %d %v", r.StatusCode, s.lookedUp)
	}
	for _, form := range []url.Values{{"do": {"delete"}}, {"do": {"end"}}, {}} {
		if r, _ := act(form); r.StatusCode != 400 {
			t.Errorf("%v: %d", form, r.StatusCode)
		}
	}
	for _, nobody := range []string{"a\x00b", "\xff", "a\u202eb", strings.Repeat("s", 256)} { // which not every database takes
		for _, do := range []string{"everywhere", "end", "lookup"} {
			form := url.Values{"do": {do}, "pool": {"one"}, "sub": {nobody}, "session": {"x"}}
			if r, _ := s.post(s.alice, "/console/people/act", form); r.StatusCode != 400 {
				t.Errorf("%s of %.10q: %d", do, nobody, r.StatusCode)
			}
		}
		if r, _ := s.get(s.alice, "/console/person?"+url.Values{"pool": {"one"}, "sub": {nobody}}.Encode()); r.StatusCode != 404 {
			t.Errorf("the page of %.10q: %d", nobody, r.StatusCode)
		}
	}
	form := url.Values{"do": {"lookup"}, "pool": {"one"}, "sub": {"nobody"}}
	if r, body := s.post(s.alice, "/console/people/act", form); r.StatusCode != 404 || !strings.Contains(body, "The pool has nobody") {
		t.Errorf("look up somebody who is in no pool: %d", r.StatusCode)
	}
	if r, _ := s.get(s.alice, "/console/people/act?do=everywhere&pool=one&sub="+s.sub); r.StatusCode != 404 {
		t.Errorf("GET: %d", r.StatusCode)
	}
	if r, _ := s.get(s.alice, "/console/"); r.StatusCode != 200 {
		t.Errorf("the operator: %d", r.StatusCode)
	}
}

// TestS733_FromElsewhere: nothing but a page of the console makes an operator's browser do
// anything, also where other origins are trusted.
func TestS733_FromElsewhere(t *testing.T) {
	s := newStaffed(t, nil)
	form := url.Values{"do": {"lookup"}, "pool": {"one"}, "sub": {"x"}}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	del := func(names ...string) func(*http.Request) {
		return func(r *http.Request) {
			for _, n := range names {
				r.Header.Del(n)
			}
		}
	}
	for name, change := range map[string][]func(*http.Request){
		"another site":           {set("Sec-Fetch-Site", "cross-site")},
		"a sibling":              {set("Sec-Fetch-Site", "same-site")},
		"the address bar":        {set("Sec-Fetch-Site", "none")},
		"another origin":         {set("Origin", "https://evil.example.com")},
		"an older browser":       {del("Sec-Fetch-Site"), set("Origin", "https://evil.example.com")},
		"null":                   {del("Sec-Fetch-Site"), set("Origin", "null")},
		"it does not say":        {del("Sec-Fetch-Site", "Origin")},
		"two words":              {func(r *http.Request) { r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"} }},
		"another port":           {set("Origin", s.url+"1"), del("Sec-Fetch-Site")},
		"empty":                  {set("Sec-Fetch-Site", "")},
		"a form of another type": {set("Sec-Fetch-Site", "cross-site"), set("Content-Type", "text/plain")},
	} {
		if r, _ := s.post(s.alice, "/console/people/act", form, change...); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if len(s.lookedUp) > 0 {
		t.Errorf("it was done: %v", s.lookedUp)
	}
	for name, change := range map[string]func(*http.Request){"both": func(*http.Request) {}, "the origin alone": del("Sec-Fetch-Site"), "the site alone": del("Origin")} {
		if r, _ := s.post(s.alice, "/console/people/act", form, change); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
}

// TestS734_EveryActionIsOnRecord: with who, what, to whom, from where and what became of it,
// also where it was refused; and it asks for a sign-in that is good enough.
func TestS734_EveryActionIsOnRecord(t *testing.T) {
	recent := time.Hour
	s := newStaffed(t, func(c *console.Config) {
		c.Unsafe = []codegrant.Permission{codegrant.PermissionFunc("recent", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) { return recent > 0, nil })}
		c.ClientAddress = func(*http.Request) string { return "192.0.2.7" }
	})
	for _, do := range []string{"lookup", "everywhere", "end"} {
		s.post(s.alice, "/console/people/act", url.Values{"do": {do}, "pool": {"one"}, "sub": {"the-target"}, "session": {"none"}})
	}
	recent = 0
	if r, _ := s.post(s.alice, "/console/people/act", url.Values{"do": {"lookup"}, "pool": {"one"}, "sub": {"x"}}); r.StatusCode != http.StatusForbidden || len(s.lookedUp) != 1 {
		t.Errorf("without a recent sign-in: %d, %v", r.StatusCode, s.lookedUp)
	}
	s.post(s.alice, "/console/people/act", url.Values{"do": {"lookup"}}, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site"); r.Header.Set("Origin", "null") })
	log := s.log.String()
	for _, want := range []string{
		`outcome=done from=192.0.2.7 action=lookup pool=one sub=the-target`,
		`outcome=done from=192.0.2.7 action=everywhere pool=one sub=the-target`,
		`outcome="nothing to do" from=192.0.2.7 action=end pool=one sub=the-target`,
		`outcome=refused from=192.0.2.7 action=/console/people/act reason="not allowed: needs`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Count(log, "by_sub="+s.sub) != strings.Count(log, "operator acted") {
		t.Errorf("a line does not say who:\n%s", log)
	}
}

// TestS735_NobodyElses: a session is ended where it is of the person and pool that the form
// names, and a form for another pool does nothing.
func TestS735_NobodyElses(t *testing.T) {
	s := newStaffed(t, nil)
	bob := s.signIn("bob")
	_, body := s.get(s.alice, person(s.subOf(bob)))
	theirs := sessionIn(t, body)
	for _, form := range []url.Values{
		{"pool": {"one"}, "sub": {s.sub}, "session": {theirs}},
		{"pool": {"two"}, "sub": {s.subOf(bob)}, "session": {theirs}},
		{"pool": {"one"}, "sub": {""}, "session": {theirs}},
		{"pool": {"one"}, "sub": {s.subOf(bob)}, "session": {theirs[1:]}},
	} {
		form.Set("do", "end")
		s.post(s.alice, "/console/people/act", form)
		if r, _ := s.get(bob, "/auth/user", func(r *http.Request) { r.Header.Del("Sec-Fetch-Mode") }); r.StatusCode != 200 {
			t.Errorf("%v ended it", form)
		}
	}
	if strings.Contains(body, "codegrant_session") {
		t.Error("the page has a cookie")
	}
}

// TestS731_NothingIsDoneUnsure: while the replica does not answer, pages can be read and
// nothing can be done.
func TestS731_NothingIsDoneUnsure(t *testing.T) {
	who := new(people)
	in, _ := anybody{}.UserBySubject(t.Context(), "", "")
	who.set(in, nil)
	s := newStaffed(t, func(c *console.Config) { c.Replica = who })
	who.set(replica.User{}, errors.Join(replica.ErrUnavailable, errors.New("away")))
	if r, _ := s.get(s.alice, "/console/people"); r.StatusCode != 200 {
		t.Errorf("a page: %d", r.StatusCode)
	}
	form := url.Values{"do": {"lookup"}, "pool": {"one"}, "sub": {"x"}}
	if r, _ := s.post(s.alice, "/console/people/act", form); r.StatusCode != 503 || len(s.lookedUp) > 0 {
		t.Errorf("an action: %d %v", r.StatusCode, s.lookedUp)
	}
}
