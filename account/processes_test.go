package account_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// TestS678_AnotherProcessKnowsThePerson: a session from after a link or an unlinking is of
// the person of after, also at a process that has looked the identity up before.
func TestS678_AnotherProcessKnowsThePerson(t *testing.T) {
	var config *codegrant.Config
	w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.Sessions, c.Cupboard = session.NewMemoryStore(session.MemoryConfig{}), cupboard.NewMemory(nil)
		c.Groups, c.Keys = codegrant.GroupsOfReplica, session.RandomKeyring()
		config = c
	})
	other, err := codegrant.New(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(t.Context()) })
	handler := other.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		rw.Header().Set("X-Row", strconv.FormatInt(id.UserID, 10))
	}))
	home, _ := url.Parse(w.url)
	there := func(b *codegranttest.Browser, status int, row int64) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, w.url+"/", nil)
		for _, c := range b.Client.Jar.Cookies(home) {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if id := rec.Header().Get("X-Row"); rec.Code != status || status == 200 && id != strconv.FormatInt(row, 10) {
			t.Errorf("at the other process: %d, row %s, want %d, row %d", rec.Code, id, status, row)
		}
	}
	phone := w.signIn(alice)
	hers := w.row(phone)
	there(phone, 200, hers.ID)
	b := w.signIn(bob)
	mine := w.row(b)
	page := w.prove(b, w.begin(b), alice)
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	w.ahead.advance(2 * time.Second)
	phone = w.signIn(alice)
	there(phone, 200, mine.ID)
	w.says(w.choose(b, b.Open(w.separate(hers.ID)), "separate", nil), 200, "It is separated.")
	there(phone, 401, 0)
	w.ahead.advance(2 * time.Second)
	phone = w.signIn(alice)
	there(phone, 200, hers.ID)
	there(phone, 200, hers.ID)
}
