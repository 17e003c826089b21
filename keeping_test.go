package codegrant

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// shelvedStore is a session store, or what keeps its ends, that has a cupboard.
type shelvedStore struct {
	session.Store
	session.Ends
	shelves cupboard.Store
}

func (s shelvedStore) Cupboard() cupboard.Store { return s.shelves }

// TestCupboardOf: what is owed is kept where nothing is forgotten, if there is such a place.
func TestCupboardOf(t *testing.T) {
	memory := session.NewMemoryStore(session.MemoryConfig{})
	one, other := cupboard.NewMemory(time.Now), cupboard.NewMemory(time.Now)
	for name, tt := range map[string]struct {
		sessions session.Store
		want     cupboard.Store
	}{
		"a store with one":         {shelvedStore{Store: memory, shelves: one}, one},
		"a store without":          {memory, nil},
		"no store":                 {nil, nil},
		"ends on record, with one": {session.NewEnduringStore(shelvedStore{Store: memory, shelves: other}, shelvedStore{shelves: one}, session.EnduringConfig{}), one},
		"ends on record, without":  {session.NewEnduringStore(memory, struct{ session.Ends }{}, session.EnduringConfig{}), nil},
	} {
		if got := cupboardOf(tt.sessions); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOwedIsBound: revocations that are owed are those of one app client.
func TestOwedIsBound(t *testing.T) {
	bindings := make(map[string]bool)
	for _, client := range []string{"c1", "c2"} {
		pool := goodPool()
		pool.ClientID = client
		a, err := New(Config{Pool: pool, BaseURL: "https://app.example.com", Keys: session.RandomKeyring(), Cupboard: cupboard.NewMemory(time.Now)})
		if err != nil {
			t.Fatal(err)
		}
		owed := a.gate.owed()
		if owed.Store == nil || owed.Keys == nil || owed.Binding == "" {
			t.Errorf("%+v", owed)
		}
		bindings[owed.Binding] = true
	}
	if len(bindings) != 2 {
		t.Errorf("two app clients share what is owed: %v", bindings)
	}
}

// TestASignOutTakesBackItsCookies: also the message that was to be shown, and the count of
// sign-ins in a row.
func TestASignOutTakesBackItsCookies(t *testing.T) {
	a, err := New(Config{Pool: goodPool(), BaseURL: "https://app.example.com", Keys: session.RandomKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "https://app.example.com/auth/logout", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	a.Handler("/auth").ServeHTTP(w, r)
	taken := make(map[string]bool)
	for _, c := range w.Result().Cookies() {
		taken[c.Name] = c.MaxAge < 0
	}
	for _, name := range []string{a.gate.cookie.Name, "codegrant-flash", "codegrant-signins"} {
		found := false
		for cookie, back := range taken {
			found = found || back && strings.Contains(cookie, name)
		}
		if !found {
			t.Errorf("%s is not taken back: %v", name, taken)
		}
	}
}

// TestSignOutURLsOfTheSameOrigin: for links of old front ends alone, one of the origin that
// is asked for will do.
func TestSignOutURLsOfTheSameOrigin(t *testing.T) {
	for migration, want := range map[bool]string{false: "https://app.example.com/", true: "https://www.example.com/bye"} {
		a, err := New(Config{
			Pool: goodPool(), BaseURL: "https://app.example.com", Keys: session.RandomKeyring(), MigrationLinks: migration,
			SignOutURLs: []string{"https://app.example.com/", "https://www.example.com/bye"}, AllowedReturnOrigins: []string{"https://www.example.com"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := a.gate.signOutURL("https://www.example.com/elsewhere"); got != want {
			t.Errorf("with links of old front ends %t: %s, want %s", migration, got, want)
		}
	}
}
