package codegrant_test

import (
	"net/http"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
)

// TestSessionsOfOthers: who looks after people sees somebody's sessions and ends one, and
// only one of theirs; where browsers carry them, none is known.
func TestSessionsOfOthers(t *testing.T) {
	for _, carried := range []bool{false, true} {
		pool := codegranttest.NewPool(t, nil)
		var auth *codegrant.Auth
		at := pool.App(func(config codegrant.Config) http.Handler {
			config.CookieSessions = carried
			if carried {
				config.Keys = session.RandomKeyring()
			}
			var err error
			if auth, err = codegrant.New(config); err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, _ := codegrant.From(r.Context())
				_, _ = w.Write([]byte(id.Subject))
			})))
			return mux
		})
		browser := codegranttest.NewBrowser(t)
		subject := browser.SignIn(at+"/", "alice@example.com", codegranttest.Password).Body
		list, complete, err := auth.Sessions(t.Context(), subject)
		if carried {
			if len(list) > 0 || complete || err != nil {
				t.Errorf("carried: %v %v %v", list, complete, err)
			}
			if ended, err := auth.EndSession(t.Context(), subject, "x", "test"); ended || err != nil {
				t.Errorf("carried: %v %v", ended, err)
			}
			continue
		}
		if err != nil || !complete || len(list) != 1 || list[0].UserAgent == "" || list[0].Address != "127.0.0.1" || list[0].SignedIn.IsZero() || list[0].Ends.IsZero() {
			t.Fatalf("%+v %v %v", list, complete, err)
		}
		for who, id := range map[string]string{"somebody": list[0].ID, subject: "another", "": list[0].ID} {
			if ended, err := auth.EndSession(t.Context(), who, id, "test"); ended || err != nil {
				t.Errorf("%q, %q: %v %v", who, id, ended, err)
			}
		}
		if ended, err := auth.EndSession(t.Context(), subject, list[0].ID, "test"); !ended || err != nil {
			t.Errorf("ended: %v %v", ended, err)
		}
		if list, _, _ := auth.Sessions(t.Context(), subject); len(list) > 0 {
			t.Errorf("afterwards: %+v", list)
		}
	}
}
