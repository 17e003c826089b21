package account_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const bob = "bob@example.com"

// linking is a world whose people link identities: of the pool itself, and of Google.
type linking struct {
	*world
	users *sqlreplica.Store
	db    *sql.DB
}

// eachReplica runs a test on each of SQLite and PostgreSQL.
func eachReplica(t *testing.T, change func(*localpool.Seed, *codegrant.Config, *account.Config), f func(t *testing.T, w *linking)) {
	t.Run("SQLite", func(t *testing.T) { f(t, onSQLite(t, change)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		f(t, newLinking(t, "pgx", testenv.PostgresSchema(t), sqlreplica.PostgreSQL, change))
	})
}

// onSQLite is for what is the same on every engine.
func onSQLite(t *testing.T, change func(*localpool.Seed, *codegrant.Config, *account.Config)) *linking {
	t.Helper()
	dsn := "file:" + (&url.URL{Path: filepath.Join(t.TempDir(), "app.db")}).EscapedPath() + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_txlock=immediate"
	return newLinking(t, "sqlite", dsn, sqlreplica.SQLite, change)
}

func newLinking(t *testing.T, driver, dsn string, d sqlreplica.Dialect, change func(*localpool.Seed, *codegrant.Config, *account.Config)) *linking {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: d, Outbox: &sqlreplica.Outbox{}})
	if err == nil {
		err = users.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &linking{users: users, db: db}
	l.world = newWorld(t, func(s *localpool.Seed, c *codegrant.Config, own *account.Config) {
		c.Replica, own.Replica, own.LinkIdentities = users, users, true
		if change != nil {
			change(s, c, own)
		}
	})
	client := l.pool.Clients()[0]
	l.ask("CreateIdentityProvider", map[string]any{
		"ProviderName": "Google", "ProviderType": "Google", "ProviderDetails": map[string]string{"client_id": "g", "client_secret": "s", "authorize_scopes": "openid email"},
		"AttributeMapping": map[string]string{"email": "email", "email_verified": "email_verified", "name": "name"},
	})
	l.ask("UpdateUserPoolClient", map[string]any{
		"ClientId": client.ID, "ClientName": "web", "CallbackURLs": []string{l.url + "/auth/callback"}, "LogoutURLs": []string{l.url + "/"}, "AllowedOAuthFlows": []string{"code"},
		"AllowedOAuthScopes": []string{"openid", "email", "profile", "phone", account.Scope}, "AllowedOAuthFlowsUserPoolClient": true, "SupportedIdentityProviders": []string{"COGNITO", "Google"},
	})
	return l
}

// ask calls the pool's API as an operator.
func (l *linking) ask(operation string, in map[string]any) {
	l.t.Helper()
	in["UserPoolId"] = l.id
	body, _ := json.Marshal(in)
	at, _ := url.Parse(l.auth.Endpoints().Authorize)
	r, _ := http.NewRequestWithContext(l.t.Context(), http.MethodPost, at.Scheme+"://"+at.Host+"/", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %d", operation, answer.StatusCode)
	}
}

// user is who a browser is.
func (l *linking) user(b *codegranttest.Browser) (status int, id int64, sub string) {
	l.t.Helper()
	r, _ := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.url+"/", nil)
	answer, err := b.Client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	id, _ = strconv.ParseInt(answer.Header.Get("X-Row"), 10, 64)
	return answer.StatusCode, id, answer.Header.Get("X-Sub")
}

// row is what the replica knows of whoever a browser is.
func (l *linking) row(b *codegranttest.Browser) replica.User {
	l.t.Helper()
	status, _, sub := l.user(b)
	u, err := l.users.UserBySubject(l.t.Context(), l.auth.Endpoints().Issuer, sub)
	if status != http.StatusOK || err != nil {
		l.t.Fatalf("%d, %v", status, err)
	}
	return u
}

// follow takes the link to the pool.
func (l *linking) follow(b *codegranttest.Browser) *codegranttest.Page {
	if !strings.Contains(l.at(b, "/identities").Body, `href="/auth/account/identities?do=begin"`) {
		l.t.Fatal("there is no link")
	}
	return l.at(b, "/identities?do=begin")
}

// begin goes to the pool to sign in with another identity.
func (l *linking) begin(b *codegranttest.Browser) *codegranttest.Page {
	l.t.Helper()
	page := l.follow(b)
	if _, ok := page.Form("password"); !ok {
		l.t.Fatalf("the pool does not ask: %d %s", page.Status, page.URL)
	}
	return page
}

// prove signs in with an identity of the pool, at its page.
func (l *linking) prove(b *codegranttest.Browser, page *codegranttest.Page, who string) *codegranttest.Page {
	l.t.Helper()
	form, _ := page.Form("password")
	return b.Submit(page, form, map[string]string{"username": who, "password": codegranttest.Password})
}

// google signs in with an account there.
func (l *linking) google(b *codegranttest.Browser, page *codegranttest.Page, subject, email string) *codegranttest.Page {
	l.t.Helper()
	at := *page.URL
	query := at.Query()
	query.Set("identity_provider", "Google")
	at.Path, at.RawQuery = "/idp", query.Encode()
	page = b.Open(at.String())
	form, ok := page.Form("subject")
	if !ok {
		l.t.Fatalf("%d %s", page.Status, plain(page.Body))
	}
	return b.Submit(page, form, map[string]string{"subject": subject, "email": email, "claims": `{"email_verified":true}`})
}

// signInByGoogle is a browser of somebody who comes with Google.
func (l *linking) signInByGoogle(subject, email string) *codegranttest.Browser {
	l.t.Helper()
	b := codegranttest.NewBrowser(l.t)
	if page := l.google(b, b.Open(l.url+"/"), subject, email); !strings.Contains(page.Body, "Welcome") {
		l.t.Fatalf("%d %s", page.Status, plain(page.Body))
	}
	return b
}

// choose sends the form of a page that does something.
func (l *linking) choose(b *codegranttest.Browser, page *codegranttest.Page, do string, values map[string]string) *codegranttest.Page {
	l.t.Helper()
	for _, form := range page.Forms {
		if form.Values.Get("do") == do {
			return b.Submit(page, form, values)
		}
	}
	l.t.Fatalf("%s offers no %s:\n%s", page.URL, do, plain(page.Body))
	return nil
}

// says holds an answer to a sentence.
func (l *linking) says(page *codegranttest.Page, status int, sentence string) {
	l.t.Helper()
	if page.Status != status || !strings.Contains(plain(page.Body), sentence) {
		l.t.Errorf("%d, want %d and %q:\n%s", page.Status, status, sentence, plain(page.Body))
	}
}

// TestS676_LinkingAWayToSignIn: somebody with a password links their account at Google. They
// keep their session and their row, the other identity's sessions end, and it comes back as
// the same person; unlinking is the reverse.
func TestS676_LinkingAWayToSignIn(t *testing.T) {
	eachReplica(t, nil, func(t *testing.T, w *linking) {
		w.world.t = t
		phone := w.signInByGoogle("g-17", "alice@gmail.example")
		theirs := w.row(phone)
		b := w.signIn(alice)
		mine := w.row(b)
		if page := w.at(b, ""); !strings.Contains(page.Body, "/auth/account/identities") {
			t.Errorf("the first page does not lead there")
		}

		page := w.google(b, w.begin(b), "g-17", "alice@gmail.example")
		w.says(page, 200, "Link this account?")
		w.says(page, 200, "alice@gmail.example")
		w.says(page, 200, "Google")
		if u := w.row(b); u.ID != mine.ID {
			t.Fatalf("before it is confirmed, the session is of %+v", u)
		}
		if u := w.row(phone); u.LinkedTo != 0 {
			t.Fatalf("before it is confirmed, the other one is %+v", u)
		}
		page = w.choose(b, page, "confirm", nil)
		w.says(page, 200, "It is linked.")
		if status, id, _ := w.user(b); status != 200 || id != mine.ID {
			t.Errorf("the session of before: %d, row %d", status, id)
		}
		if status, _, _ := w.user(phone); status != http.StatusUnauthorized {
			t.Errorf("a session of the linked identity goes on: %d", status)
		}
		linked, err := w.users.User(t.Context(), theirs.ID)
		if err != nil || linked.Person() != mine.ID {
			t.Fatalf("%+v, %v", linked, err)
		}
		var by string
		if err := w.db.QueryRowContext(t.Context(), "SELECT linked_by FROM codegrant_users WHERE id = "+strconv.FormatInt(theirs.ID, 10)).Scan(&by); err != nil || by != "the person" {
			t.Errorf("linked by %q, %v", by, err)
		}
		if log := w.log.String(); !strings.Contains(log, "event=merged from="+strconv.FormatInt(theirs.ID, 10)+" into="+strconv.FormatInt(mine.ID, 10)) {
			t.Error("the log has no audit line")
		}
		var entry string
		if err := w.db.QueryRowContext(t.Context(), "SELECT record FROM codegrant_outbox ORDER BY id DESC LIMIT 1").Scan(&entry); err != nil || !strings.Contains(entry, "merged") {
			t.Errorf("the outbox has %s, %v", entry, err)
		}

		w.ahead.advance(2 * time.Second) // what was proven in the second of the mark does not count
		phone = w.signInByGoogle("g-17", "alice@gmail.example")
		if _, id, _ := w.user(phone); id != mine.ID {
			t.Errorf("with Google they are row %d, want %d", id, mine.ID)
		}

		// Back: by a link to a question, and a form.
		page = w.at(b, "/identities")
		w.says(page, 200, "You use this one now")
		page = b.Open(w.url + "/auth/account/identities?separate=" + strconv.FormatInt(theirs.ID, 10))
		w.says(page, 200, "Separate this way to sign in?")
		page = w.choose(b, page, "separate", nil)
		w.says(page, 200, "It is separated.")
		if u, err := w.users.User(t.Context(), theirs.ID); err != nil || u.Person() != theirs.ID {
			t.Errorf("%+v, %v", u, err)
		}
		if status, _, _ := w.user(phone); status != http.StatusUnauthorized {
			t.Errorf("a session of the unlinked identity goes on: %d", status)
		}
		if status, id, _ := w.user(b); status != 200 || id != mine.ID {
			t.Errorf("the session: %d, row %d", status, id)
		}
		if !strings.Contains(w.log.String(), "event=unlinked identity="+strconv.FormatInt(theirs.ID, 10)) {
			t.Error("the log does not say who was unlinked")
		}
		// The one that the person is known by cannot be taken away, nor what is somebody else's.
		for _, row := range []int64{mine.ID, theirs.ID, 999999} {
			page = b.Open(w.url + "/auth/account/identities?separate=" + strconv.FormatInt(row, 10))
			if strings.Contains(page.Body, "Separate this way") {
				t.Errorf("row %d may be separated", row)
			}
			values := url.Values{"do": {"separate"}, "row": {strconv.FormatInt(row, 10)}}
			w.says(b.Submit(page, codegranttest.Form{Method: http.MethodPost, Action: page.URL, Values: values}, nil), 422, "no longer sign in to this account that way")
		}
	})
}

// TestS676_TheOtherSignInIsForTheSession: an answer of the pool that somebody else has begun,
// one of another session, an old one and a cancelled one prove nothing, and the session stays.
func TestS676_TheOtherSignInIsForTheSession(t *testing.T) {
	eachReplica(t, func(_ *localpool.Seed, _ *codegrant.Config, own *account.Config) { own.SignInWithin = time.Hour }, func(t *testing.T, w *linking) {
		w.world.t = t
		b := w.signIn(alice)
		mine := w.row(b)
		unlinked := func(where string) {
			t.Helper()
			w.says(w.at(b, "/identities"), 200, "Link another way to sign in")
			if u := w.row(b); u.ID != mine.ID || u.LinkedTo != 0 {
				t.Errorf("%s: the session is of %+v", where, u)
			}
			if all, err := w.users.Identities(t.Context(), mine.ID); err != nil || len(all) != 1 {
				t.Errorf("%s: %+v, %v", where, all, err)
			}
		}

		// Somebody else's callback: its state is not of this browser.
		mallory := w.signIn(bob)
		stop := errors.New("stop")
		var pasted string
		mallory.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/auth/callback" {
				pasted = r.URL.String()
				return stop
			}
			return nil
		}
		page := w.begin(mallory)
		form, _ := page.Form("password")
		form.Values.Set("username", bob)
		form.Values.Set("password", codegranttest.Password)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, form.Action.String(), strings.NewReader(form.Values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if _, err := mallory.Client.Do(r); !errors.Is(err, stop) || pasted == "" {
			t.Fatalf("no callback: %v", err)
		}
		b.Open(pasted)
		unlinked("somebody else's callback")

		// What was proven for one session is of no use to another one of the same browser.
		page = w.prove(b, w.begin(b), bob)
		w.says(page, 200, "Link this account?")
		old := page
		home, _ := url.Parse(w.url)
		carried := b.Client.Jar.Cookies(home)
		out := b.Open(w.url + "/auth/logout")
		if form, ok := out.Form("confirm"); ok {
			b.Submit(out, form, nil)
		}
		w.ahead.advance(2 * time.Second)
		b.SignIn(w.url+"/auth/login?prompt=login&redirect_uri=/", alice, codegranttest.Password)
		for _, c := range carried { // what the sign-out took back
			if strings.HasSuffix(c.Name, "-proven") {
				b.Client.Jar.SetCookies(home, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
			}
		}
		unlinked("another session")
		w.says(w.choose(b, old, "confirm", nil), 422, "Too much time has passed.")
		unlinked("a form of another session")

		// Whoever does not finish, or answers no, is as before.
		page = w.begin(b)
		query := page.URL.Query()
		page = b.Open(w.url + "/auth/callback?error=access_denied&error_description=cancelled&state=" + query.Get("state"))
		w.says(page, 200, "You did not finish signing in")
		unlinked("a denial")
		page = w.prove(b, w.begin(b), bob)
		w.says(w.choose(b, page, "cancel", nil), 200, "You have changed nothing.")
		unlinked("a cancelled link")

		// The question is open for ten minutes.
		page = w.prove(b, w.begin(b), bob)
		w.ahead.advance(11 * time.Minute)
		w.says(w.choose(b, page, "confirm", nil), 422, "Too much time has passed.")
		unlinked("an old proof")

		// In two tabs: the form is for the one that its page showed.
		tab := w.begin(b)
		page = w.prove(b, w.begin(b), bob)
		w.google(b, tab, "g-18", "other@gmail.example")
		w.says(w.choose(b, page, "confirm", nil), 422, "yet another account")
		if all, err := w.users.Identities(t.Context(), mine.ID); err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// TestS676_APoolThatDoesNotAsk: the pool's own login session proves nothing, where the pool
// knows no prompt.
func TestS676_APoolThatDoesNotAsk(t *testing.T) {
	eachReplica(t, func(s *localpool.Seed, _ *codegrant.Config, _ *account.Config) { s.Pools[0].Plan = "LITE" }, func(t *testing.T, w *linking) {
		w.world.t = t
		b := w.signIn(alice)
		w.ahead.advance(2 * time.Minute)
		page := w.follow(b)
		w.says(page, 200, "did not ask you to sign in")
		if status, _, _ := w.user(b); status != 200 {
			t.Errorf("the session: %d", status)
		}
	})
}

// TestS676_ALoginSessionOfAMomentAgo: neither does one that is younger than any proof may be
// old, such as of somebody else in the same browser.
func TestS676_ALoginSessionOfAMomentAgo(t *testing.T) {
	w := onSQLite(t, func(s *localpool.Seed, _ *codegrant.Config, _ *account.Config) { s.Pools[0].Plan = "LITE" })
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	mine := w.row(b)
	home, _ := url.Parse(w.url)
	var own []*http.Cookie
	for _, c := range b.Client.Jar.Cookies(home) {
		if strings.HasPrefix(c.Name, "codegrant") {
			own = append(own, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/"})
		}
	}
	shared := w.signIn(alice) // at some application of the pool
	shared.Client.Jar.SetCookies(home, own)
	if u := w.row(shared); u.ID != mine.ID {
		t.Fatalf("the session is of %+v", u)
	}
	w.ahead.advance(40 * time.Second)
	w.says(w.follow(shared), 200, "did not ask you to sign in")
	w.linkedTo(hers.ID, 0)
	w.says(w.at(shared, "/identities"), 200, "Link another way to sign in")
}

// TestS677_WhatCannotBeLinked: oneself, what is one of several identities of somebody else,
// whoever is disabled or erased, also where that happens after the question was asked.
func TestS677_WhatCannotBeLinked(t *testing.T) {
	eachReplica(t, nil, func(t *testing.T, w *linking) {
		w.world.t = t
		b := w.signIn(alice)
		mine := w.row(b)
		w.says(w.prove(b, w.begin(b), alice), 200, "already belongs to this account")

		theirs := w.row(w.signIn(bob))
		googles := w.row(w.signInByGoogle("g-17", "x@gmail.example"))
		ask := func() *codegranttest.Page {
			t.Helper()
			page := w.prove(b, w.begin(b), bob)
			w.says(page, 200, "Link this account?")
			return page
		}

		// It becomes one of several while the question is open; then the question is not asked.
		page := ask()
		if _, err := w.users.Merge(t.Context(), googles.ID, theirs.ID, "an operator"); err != nil {
			t.Fatal(err)
		}
		w.says(w.choose(b, page, "confirm", nil), 422, "several ways to sign in")
		w.says(w.prove(b, w.begin(b), bob), 200, "several ways to sign in")
		w.says(w.google(b, w.begin(b), "g-17", "x@gmail.example"), 200, "several ways to sign in")
		if _, err := w.users.Link(t.Context(), theirs.ID, mine.ID, "x"); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("the store: %v", err)
		}
		if _, err := w.users.Link(t.Context(), googles.ID, mine.ID, "x"); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("the store: %v", err)
		}
		if _, err := w.users.Unlink(t.Context(), googles.ID); err != nil {
			t.Fatal(err)
		}

		// Disabled while the question is open, by the pool as the replica hears it.
		page = ask()
		off := false
		if _, err := w.users.Apply(t.Context(), replica.Snapshot{Issuer: theirs.Issuer, Subject: theirs.Subject, Username: theirs.Username, Enabled: &off, At: w.ahead.now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		w.says(w.choose(b, page, "confirm", nil), 422, "The other account is disabled.")
		if _, err := w.users.Link(t.Context(), theirs.ID, mine.ID, "x"); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("the store: %v", err)
		}
		on := true
		if _, err := w.users.Apply(t.Context(), replica.Snapshot{Issuer: theirs.Issuer, Subject: theirs.Subject, Username: theirs.Username, Enabled: &on, At: w.ahead.now().Add(2 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		w.ahead.advance(3 * time.Second)

		// Erased while the question is open.
		page = ask()
		if _, err := w.users.Erase(t.Context(), theirs.ID, sqlreplica.EraseOptions{}); err != nil {
			t.Fatal(err)
		}
		w.says(w.choose(b, page, "confirm", nil), 422, "it was changed in the meantime")
		if all, err := w.users.Identities(t.Context(), mine.ID); err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		// Who comes back is somebody new, and may be linked.
		page = w.choose(b, w.prove(b, w.begin(b), bob), "confirm", nil)
		w.says(page, 200, "It is linked.")
	})
}

// TestS678_SessionsInCookiesOfALinkedIdentity: browsers carry them, and a mark ends them.
func TestS678_SessionsInCookiesOfALinkedIdentity(t *testing.T) {
	eachReplica(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.CookieSessions = true
	}, func(t *testing.T, w *linking) {
		w.world.t = t
		other := w.signIn(bob)
		b := w.signIn(alice)
		mine := w.row(b)
		w.ahead.advance(2 * time.Second)
		w.says(w.choose(b, w.prove(b, w.begin(b), bob), "confirm", nil), 200, "It is linked.")
		if status, _, _ := w.user(other); status != http.StatusUnauthorized {
			t.Errorf("a session of the linked identity goes on: %d", status)
		}
		if status, id, _ := w.user(b); status != 200 || id != mine.ID {
			t.Errorf("%d, row %d", status, id)
		}
		w.ahead.advance(2 * time.Second)
		if _, id, _ := w.user(w.signIn(bob)); id != mine.ID {
			t.Errorf("row %d, want %d", id, mine.ID)
		}
	})
}
