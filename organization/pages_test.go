package organization_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/organization"
)

// site is an application with organizations, and a pool.
type site struct {
	*rig
	pool *codegranttest.Pool
	url  string
	log  *lines

	asked atomic.Pointer[func()] // is called once, after the next look-up of what somebody acts for

	mu     sync.Mutex // guards the fields below
	mails  []organization.Mail
	unsent error
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{rig: newRig(t), pool: codegranttest.NewPool(t, nil), log: new(lines)}
	s.now = time.Now()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.url = s.pool.App(func(c codegrant.Config) http.Handler {
		c.Replica, c.Logger, c.KeepOrganization = s.users, log, s.Keep
		c.Organization = func(ctx context.Context, id *codegrant.Identity) (*codegrant.Organization, error) {
			o, err := s.Active(ctx, id)
			if f := s.asked.Swap(nil); f != nil {
				(*f)()
			}
			return o, err
		}
		auth, err := codegrant.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = auth.Close(context.Background()) })
		pages, err := organization.NewPages(organization.PagesConfig{Auth: auth, Store: s.Store, People: s.users, Logger: log, Send: func(_ context.Context, m organization.Mail) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.unsent == nil {
				s.mails = append(s.mails, m)
			}
			return s.unsent
		}})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		pages.Mount(mux)
		ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			_, _ = io.WriteString(w, "Welcome")
			if id.Organization != nil {
				_, _ = io.WriteString(w, " from "+id.Organization.Name+" as "+id.Organization.Role)
			}
		})
		mux.Handle("/", auth.Require()(ok))
		mux.Handle("/company", auth.Require(codegrant.InOrganization())(ok))
		mux.Handle("/admin", auth.Require(codegrant.InOrganization("admin"))(ok))
		return mux
	})
	return s
}

// signIn is a browser of somebody who is signed in, and the row of the person.
func (s *site) signIn(t *testing.T, who string) (*codegranttest.Browser, int64) {
	t.Helper()
	b := codegranttest.NewBrowser(t)
	if page := b.SignIn(s.url+"/", who, codegranttest.Password); !strings.HasPrefix(page.Body, "Welcome") {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	all, err := s.users.UsersByEmail(t.Context(), s.pool.Clients()[0].Issuer, who)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return b, all[0].ID
}

func (s *site) sees(t *testing.T, b *codegranttest.Browser, path string, status int, says string) *codegranttest.Page {
	t.Helper()
	page := b.Open(s.url + path)
	if page.Status != status || !strings.Contains(page.Body, says) {
		t.Fatalf("%s: %d, want %d and %q: %s", path, page.Status, status, says, page.Body)
	}
	return page
}

// press submits the form of a page that has all of these values already, but for those of
// fill.
func (s *site) press(t *testing.T, b *codegranttest.Browser, page *codegranttest.Page, has, fill map[string]string, status int, says string) *codegranttest.Page {
	t.Helper()
next:
	for _, f := range page.Forms {
		for name, value := range has {
			if f.Values.Get(name) != value {
				continue next
			}
		}
		for name := range fill {
			if !f.Values.Has(name) {
				continue next
			}
		}
		answer := b.Submit(page, f, fill)
		if answer.Status != status || !strings.Contains(answer.Body, says) {
			t.Fatalf("%v %v: %d, want %d and %q: %s", has, fill, answer.Status, status, says, answer.Body)
		}
		return answer
	}
	t.Fatalf("%s has no form with %v: %s", page.URL, has, page.Body)
	return nil
}

// asks sends what a program would, with the cookies of a browser.
func (s *site) asks(t *testing.T, b *codegranttest.Browser, method, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := b.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(response.Body).Decode(&body)
	return response.StatusCode, body
}

// TestS746_SwitchedWithoutThePool: by the page and by a program; the next request is of the
// other organization, and a role that is taken away is refused with the next one.
func TestS746_SwitchedWithoutThePool(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	s.sees(t, alice, "/company", http.StatusForbidden, "")
	acme, other := s.create(t, "Acme"), s.create(t, "Other")
	s.set(t, acme, aliceID, "admin")
	s.sees(t, alice, "/company", http.StatusOK, "from Acme as admin")
	s.set(t, other, aliceID, "member")
	page := s.sees(t, alice, "/auth/organization", http.StatusOK, "Choose the organization")
	s.press(t, alice, page, map[string]string{"organization": other.ID}, nil, http.StatusOK, "You act for Other.")
	s.sees(t, alice, "/company", http.StatusOK, "from Other as member")
	s.sees(t, alice, "/admin", http.StatusForbidden, "")
	status, body := s.asks(t, alice, "POST", "/auth/organization", url.Values{"organization": {acme.ID}})
	if active, _ := body["active"].(map[string]any); status != http.StatusOK || active["id"] != acme.ID || active["role"] != "admin" {
		t.Errorf("%d %v", status, body)
	}
	s.sees(t, alice, "/admin", http.StatusOK, "from Acme as admin")
	if status, body := s.asks(t, alice, "GET", "/auth/user", nil); status != http.StatusOK || body["organization"].(map[string]any)["id"] != acme.ID {
		t.Errorf("%d %v", status, body)
	}
	for what, form := range map[string]url.Values{
		"404": {"organization": {"org_none"}}, "400": {}, "400 ": {"organization": {acme.ID}, "leave": {acme.ID}}, "400  ": {"organization": {acme.ID, other.ID}}, "409": {"leave": {acme.ID}},
	} {
		if status, _ := s.asks(t, alice, "POST", "/auth/organization", form); strconv.Itoa(status) != strings.TrimSpace(what) {
			t.Errorf("%v: %d, want %s", form, status, what)
		}
	}
	bob, bobID := s.signIn(t, "bob@example.com")
	if status, _ := s.asks(t, bob, "POST", "/auth/organization", url.Values{"organization": {acme.ID}}); status != http.StatusNotFound {
		t.Errorf("somebody who is not in it gets %d", status)
	}
	s.set(t, acme, bobID, "admin")
	s.set(t, acme, aliceID, "member") // taken away
	s.sees(t, alice, "/admin", http.StatusForbidden, "")
	if err := s.Remove(t.Context(), acme.ID, aliceID, "a test"); err != nil {
		t.Fatal(err)
	}
	s.sees(t, alice, "/company", http.StatusForbidden, "") // for none, until they choose
	if status, body := s.asks(t, alice, "GET", "/auth/organization", nil); status != http.StatusOK || body["active"] != nil {
		t.Errorf("%d %v", status, body)
	}
	page = s.sees(t, alice, "/auth/organization", http.StatusOK, "Choose the organization")
	s.press(t, alice, page, map[string]string{"organization": other.ID}, nil, http.StatusOK, "You act for Other.")
	s.sees(t, alice, "/company", http.StatusOK, "from Other as member")
	s.press(t, alice, s.sees(t, alice, "/auth/organization", http.StatusOK, "Other"), map[string]string{"leave": other.ID}, nil, http.StatusOK, "You have left")
	s.sees(t, alice, "/company", http.StatusForbidden, "")
	status, _ = s.asks(t, codegranttest.NewBrowser(t), "GET", "/auth/organization", nil)
	if status != http.StatusUnauthorized {
		t.Errorf("nobody gets %d", status)
	}
}

// TestS747_OnlyWhoManagesManages the organization that the session acts for, from a page of it.
func TestS747_OnlyWhoManagesManages(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	bob, bobID := s.signIn(t, "bob@example.com")
	acme, other := s.create(t, "Acme"), s.create(t, "Other")
	s.set(t, acme, aliceID, "admin")
	s.set(t, acme, bobID, "member")
	s.sees(t, bob, "/auth/organization/members", http.StatusForbidden, "")
	for _, form := range []url.Values{
		{"invite": {"eve@example.com"}, "role": {"admin"}}, {"member": {strconv.FormatInt(bobID, 10)}, "role": {"admin"}}, {"remove": {strconv.FormatInt(aliceID, 10)}}, {"revoke": {"x"}}, {"resend": {"x"}},
	} {
		if status, _ := s.asks(t, bob, "POST", "/auth/organization/members", form); status != http.StatusForbidden {
			t.Errorf("%v: a member gets %d", form, status)
		}
	}
	page := s.sees(t, alice, "/auth/organization/members", http.StatusOK, "bob@example.com")
	s.press(t, alice, page, map[string]string{"member": strconv.FormatInt(bobID, 10), "role": "admin"}, nil, http.StatusOK, "The role is changed.")
	s.sees(t, bob, "/admin", http.StatusOK, "as admin")
	s.set(t, acme, bobID, "member")
	// Nobody is made a member who was not invited, and nothing is done for another organization.
	s.pool.AddUser("carol", "carol@example.com")
	_, carolID := s.signIn(t, "carol@example.com")
	if status, _ := s.asks(t, alice, "POST", "/auth/organization/members", url.Values{"member": {strconv.FormatInt(carolID, 10)}, "role": {"member"}}); status != http.StatusNotFound {
		t.Errorf("somebody who was not invited: %d", status)
	}
	s.set(t, other, aliceID, "admin")
	s.set(t, other, bobID, "member")
	s.press(t, alice, s.sees(t, alice, "/auth/organization", http.StatusOK, ""), map[string]string{"organization": acme.ID}, nil, http.StatusOK, "You act for Acme.")
	page = s.sees(t, alice, "/auth/organization/members", http.StatusOK, "Members of Acme")
	if status, _ := s.asks(t, alice, "POST", "/auth/organization", url.Values{"organization": {other.ID}}); status != http.StatusOK { // in another tab
		t.Fatal(status)
	}
	s.press(t, alice, page, map[string]string{"remove": strconv.FormatInt(bobID, 10)}, nil, http.StatusConflict, "")
	if all, err := s.Members(t.Context(), other.ID, 0); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	s.press(t, alice, s.sees(t, alice, "/auth/organization/members", http.StatusOK, "Members of Other"), map[string]string{"remove": strconv.FormatInt(aliceID, 10)}, nil, http.StatusUnprocessableEntity, "Nobody else manages")
	status, list := s.asks(t, alice, "GET", "/auth/organization/members", nil)
	if members, _ := list["members"].([]any); status != http.StatusOK || len(members) != 2 {
		t.Errorf("%d %v", status, list)
	}
}

// TestS748_Invited: a new person and one who is there, each with the address that was
// invited; the token is in the mail alone.
func TestS748_Invited(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	bob, _ := s.signIn(t, "bob@example.com")
	acme := s.create(t, "Acme")
	s.set(t, acme, aliceID, "admin")
	invite := func(address, role string) organization.Mail {
		t.Helper()
		page := s.sees(t, alice, "/auth/organization/members", http.StatusOK, "Invite somebody")
		s.press(t, alice, page, map[string]string{"role": role}, map[string]string{"invite": address}, http.StatusOK, "The invitation is sent.")
		m := s.mails[len(s.mails)-1]
		if m.To != address || m.Organization != "Acme" || m.Role != role || !strings.HasPrefix(m.URL, s.url+"/auth/organization/invitation?token=") {
			t.Fatalf("%+v", m)
		}
		return m
	}
	path := func(m organization.Mail) string { return strings.TrimPrefix(m.URL, s.url) }

	// One who is there.
	m := invite("bob@example.com", "member")
	s.sees(t, alice, path(m), http.StatusOK, "The invitation is for bob@example.com.")
	if status, _ := s.asks(t, alice, "POST", "/auth/organization/invitation", url.Values{"token": {tokenOf(t, m)}}); status != http.StatusForbidden {
		t.Errorf("with another address: %d", status)
	}
	page := s.sees(t, bob, path(m), http.StatusOK, "You are invited to Acme")
	if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" { // the form needs its Origin
		t.Errorf("with the token in the URL, Referrer-Policy is %q", got)
	}
	s.press(t, bob, page, map[string]string{"token": tokenOf(t, m)}, nil, http.StatusOK, "You are a member now.")
	s.sees(t, bob, "/company", http.StatusOK, "from Acme as member")
	s.sees(t, bob, path(m), http.StatusGone, "was used or taken back")

	// A new one: nobody is at the pool under that address before they come.
	m = invite("erin@example.com", "admin")
	erin := codegranttest.NewBrowser(t)
	page = s.sees(t, erin, path(m), http.StatusOK, "sign up with it")
	if got := page.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("on a page without forms, Referrer-Policy is %q", got)
	}
	link := between(page.Body, `href="/auth/login?`, `"`)
	if !strings.Contains(link, "login_hint=erin%40example.com") {
		t.Fatalf("the link says %q", link)
	}
	s.pool.AddUser("erin", "erin@example.com") // as the pool's page for signing up does
	back := erin.SignIn(s.url+"/auth/login?"+strings.ReplaceAll(link, "&amp;", "&"), "erin@example.com", codegranttest.Password)
	s.press(t, erin, back, map[string]string{"token": tokenOf(t, m)}, nil, http.StatusOK, "You are a member now.")
	s.sees(t, erin, "/admin", http.StatusOK, "from Acme as admin")

	// Faults: an address that is none, a mail server that does not take it, one taken back.
	page = s.sees(t, alice, "/auth/organization/members", http.StatusOK, "")
	s.press(t, alice, page, map[string]string{"role": "member"}, map[string]string{"invite": "nobody"}, http.StatusUnprocessableEntity, "Enter an e-mail address")
	s.unsent = errors.New("550 no")
	s.press(t, alice, page, map[string]string{"role": "member"}, map[string]string{"invite": "frank@example.com"}, http.StatusUnprocessableEntity, "could not be sent")
	s.unsent = nil
	page = s.sees(t, alice, "/auth/organization/members", http.StatusOK, "frank@example.com")
	waiting, err := s.Invitations(t.Context(), acme.ID)
	if err != nil || len(waiting) != 1 {
		t.Fatal(waiting, err)
	}
	s.press(t, alice, page, map[string]string{"resend": waiting[0].ID}, nil, http.StatusOK, "The invitation is sent.")
	m = s.mails[len(s.mails)-1]
	s.press(t, alice, s.sees(t, alice, "/auth/organization/members", http.StatusOK, ""), map[string]string{"revoke": waiting[0].ID}, nil, http.StatusOK, "taken back")
	s.sees(t, codegranttest.NewBrowser(t), path(m), http.StatusGone, "")
	for _, m := range s.mails {
		if strings.Contains(s.log.String(), tokenOf(t, m)) {
			t.Error("a token is in the log")
		}
	}
	for _, address := range []string{"erin@example.com", "frank@example.com"} {
		if strings.Contains(s.log.String(), address) {
			t.Errorf("%s is in the log", address)
		}
	}
}

func tokenOf(t *testing.T, m organization.Mail) string {
	t.Helper()
	u, err := url.Parse(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	inner, _, _ := strings.Cut(rest, to)
	return inner
}

// TestS749_ADatabaseThatIsAway says nothing about anybody: 503, and no session is lost.
func TestS749_ADatabaseThatIsAway(t *testing.T) {
	s := newSite(t)
	alice, aliceID := s.signIn(t, "alice@example.com")
	acme := s.create(t, "Acme")
	s.set(t, acme, aliceID, "admin")
	if _, err := s.db.Exec("ALTER TABLE codegrant_organization_members RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/company", "/auth/organization", "/auth/user"} {
		s.sees(t, alice, path, http.StatusServiceUnavailable, "")
	}
	if _, err := s.db.Exec("ALTER TABLE away RENAME TO codegrant_organization_members"); err != nil {
		t.Fatal(err)
	}
	s.sees(t, alice, "/admin", http.StatusOK, "from Acme as admin")
}
