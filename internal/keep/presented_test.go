package keep_test

import (
	"maps"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// without is what is left to somebody who has got hold of a part of a browser's cookies: of
// tokens all but the refresh token, of what was sealed the first half.
func (j jar) without(refreshToken string) jar {
	part := maps.Clone(j)
	if _, ok := part["refresh_token"]; ok {
		delete(part, "refresh_token")
		if refreshToken != "" {
			part["refresh_token"] = refreshToken
		}
		return part
	}
	for name, value := range part {
		part[name] = value[:len(value)/2]
	}
	return part
}

// givesNothingForAPart: an ID token is in the logs of many a service. It opens nothing that
// a renewal brought, and a refresh token that was invented beside it hinders nobody.
func givesNothingForAPart(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(61 * time.Minute)
	for _, when := range []string{"before a renewal", "after it"} {
		for _, invented := range []string{"", "invented"} {
			part := alice.without(invented)
			who, after, err := find(s, part)
			if who != "" || err != nil {
				t.Errorf("%s, with %q: a part is %q, %v", when, invented, who, err)
			}
			for name, value := range after {
				if part[name] != value {
					t.Errorf("%s, with %q: a part is given %s", when, invented, name)
				}
			}
		}
		h.wantFound(s, alice, "alice")
	}
}

func handsOutOnce(t *testing.T, h *house) {
	for _, keeps := range []bool{false, true} {
		h.pool.keeps = keeps
		s, _ := h.begin()
		alice := h.signIn(s, "alice", nil)
		time.Sleep(61 * time.Minute)
		alice = h.wantFound(s, alice, "alice")
		for range 2 {
			w := httptest.NewRecorder()
			if held, err := s.Find(w, alice.request()); held == nil || err != nil {
				t.Errorf("%v, %v", held, err)
			}
			if n := len(w.Result().Cookies()); n != 0 {
				t.Errorf("it is handed %d cookies again; the pool keeps refresh tokens: %t", n, keeps)
			}
		}
	}
}

func keepsWhatItCannotProve(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(61 * time.Minute)
	h.point = func(s step) { h.noKeys = h.noKeys || s.kind == "pool refresh" }
	if who, _, err := find(s, alice); who != "" || !fault.IsUnavailable(err) {
		t.Errorf("without keys it is %q, %v", who, err)
	}
	h.point, h.noKeys = func(step) {}, false
	time.Sleep(time.Minute)
	h.wantFound(s, alice, "alice") // and the answer that said so was lost
	if n := h.pool.good("alice"); n != 1 {
		t.Errorf("%d grants are good", n)
	}
}

func findsWhoIsFarBehind(t *testing.T, h *house) {
	s, _ := h.begin()
	first := h.signIn(s, "alice", nil)
	latest := first
	for range 10 {
		time.Sleep(61 * time.Minute)
		latest = h.wantFound(s, latest, "alice")
	}
	if _, ok := first["refresh_token"]; ok {
		return // of a part nobody knows after so long whose it is
	}
	asked := h.pool.refreshes()
	h.wantFound(s, first, "alice")
	if n := h.pool.refreshes(); n != asked {
		t.Errorf("the pool is asked %d times", n-asked)
	}
}

func findsMixedCookies(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(61 * time.Minute)
	after := h.wantFound(s, alice, "alice")
	mixed := maps.Clone(alice)
	if token, ok := after["refresh_token"]; ok {
		mixed["refresh_token"] = token
	}
	again := h.wantFound(s, mixed, "alice")
	if n := h.pool.refreshes(); n != 1 || again["id_token"] != after["id_token"] {
		t.Errorf("the pool is asked %d times, and the browser is handed the tokens that it lacks: %t", n, again["id_token"] == after["id_token"])
	}
}

// beginsAgain: where tokens have no name of their sign-in, it is the person and the moment.
// The pool's own session signs somebody in again with the moment that they proved themselves.
func beginsAgain(t *testing.T, h *house) {
	h.pool.nameless = true
	s, _ := h.begin()
	for range 2 {
		alice := h.signIn(s, "alice", nil)
		h.wantFound(s, alice, "alice")
		if err := s.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.wantFound(s, alice, "")
	}
}

func asksAgain(t *testing.T, h *house) {
	s, keeper := h.begin()
	alice := h.signIn(s, "alice", nil)
	kept := maps.Clone(h.pool.grants)
	clear(h.pool.grants)
	time.Sleep(61 * time.Minute)
	h.wantFound(s, alice, "")
	maps.Copy(h.pool.grants, kept)
	time.Sleep(61 * time.Second)
	want := "alice"
	if !keeper.Carried() {
		want = "" // its row is gone
	}
	h.wantFound(s, alice, want)
}

func renewsWhatIsMarked(t *testing.T, h *house) {
	s, keeper := h.begin()
	alice := h.signIn(s, "alice", nil)
	if err := h.mark("alice"); err != nil {
		t.Fatal(err)
	}
	want := 1
	if keeper.Carried() {
		want = 0 // nothing can be marked
	}
	for range 2 {
		h.wantFound(s, alice, "alice")
		if n := h.pool.refreshes(); n != want {
			t.Errorf("%d refreshes, want %d", n, want)
		}
	}
}

func lastsWithoutRefreshToken(t *testing.T, h *house) {
	h.pool.barren = true
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(time.Hour - time.Second)
	h.wantFound(s, alice, "alice")
	time.Sleep(2 * time.Second)
	h.wantFound(s, alice, "")
	if n := h.pool.refreshes(); n != 0 {
		t.Errorf("the pool is asked %d times, with nothing", n)
	}
}

func renewsWithoutRotation(t *testing.T, h *house) {
	h.pool.keeps = true
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	for range 3 {
		time.Sleep(61 * time.Minute)
		alice = h.wantFound(s, alice, "alice")
	}
	if n := h.pool.refreshes(); n != 3 {
		t.Errorf("%d refreshes", n)
	}
	if err := s.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if n := h.pool.good("alice"); n != 0 {
		t.Errorf("%d grants are good", n)
	}
}
