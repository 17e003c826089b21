package keep_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/session"
)

// suite is what every way to keep sign-ins has to pass. Where promise is an exception of
// a way, instead runs in its place: what is still kept.
var suite = []struct {
	name, why string
	promise   string
	test      func(*testing.T, *house)
	instead   func(*testing.T, *house)
}{
	{"find", "a browser is who signed in, and nobody without cookies", "", finds, nil},
	{"junk", "S-054: cookies that somebody planted hide no sign-in", "", ignoresJunk, nil},
	{"two people", "S-054: cookies of two people are nobody's", "", twoPeople, nil},
	{"another client", "S-059: a sign-in with one app client is none with another", "", anotherClient, nil},
	{"version", "a row is written by whoever read it last", "", swapsOnce, nil},
	{"idle", "S-055: a sign-in that is not used ends", "S-055", idles, neverIdles},
	{"absolute", "S-055: and every other one ends some time", "", ends, nil},
	{"again", "S-032: a sign-in ends those that the browser had, and their grants", "", endsThoseBefore, nil},
	{"another tab", "S-037: two tabs that sign the same person in do not end each other's session", "", keepsAnotherTabs, nil},
	{"once", "S-026: what happens once happens once for all processes", "S-026", happensOnce, happensOnceHere},
	{"renewal", "S-012, S-013: renewed tokens are of the same person, sign-in and nonce", "", refusesOthers, nil},
	{"lost answer", "S-075: a rotated token is never only in an answer", "", losesNothing, nil},
	{"refused", "S-058: a grant that the pool ends is the end of its tokens, and is asked about once", "", endsWithTheGrant, nil},
	{"away", "S-150: a pool that does not answer ends nothing", "", outlivesAnOutage, nil},
	{"panic", "S-164: nor does a panic", "", outlivesAPanic, nil},
	{"two processes", "S-071: a sign-in is renewed once for all processes", "S-071", renewsOnce, renewsOnceEach},
	{"operators", "S-062: operators see who is signed in, and end it", "S-062", operatorsEnd, operatorsSeeNobody},
	{"everywhere", "S-085: all sign-ins of a person end at once", "S-085", endsAll, endsOneByOne},
	{"sign-out", "S-082: a copied cookie is worth nothing, anywhere", "S-082", endsEverywhere, endsHere},
	{"sign-out twice", "ending twice is not an error", "", endsTwice, nil},
	{"look", "who only asks changes nothing", "", looks, nil},
	{"recheck", "S-330: a request that lasts is no use", "", rechecks, nil},
	{"part", "S-088: who holds a part of what proves a sign-in, is given and costs its owner nothing", "", givesNothingForAPart, nil},
	{"handed once", "S-075: what the browser has is not handed to it again", "", handsOutOnce, nil},
	{"unproven", "S-075: nor is a rotated token lost whose tokens cannot be verified yet", "", keepsWhatItCannotProve, nil},
	{"far behind", "S-075: nor to a browser that is many renewals behind", "", findsWhoIsFarBehind, nil},
	{"mixed", "S-075: a browser that has kept some of the new cookies is who it was", "", findsMixedCookies, nil},
	{"name", "S-032: a sign-in is its own, be its name one that ended", "", beginsAgain, nil},
	{"refused for a while", "S-058: what the pool refuses is not refused here for ever", "", asksAgain, nil},
	{"stale mark", "S-080: tokens that are marked are renewed before they count", "", renewsWhatIsMarked, nil},
	{"no refresh token", "a sign-in without one lasts as long as its tokens", "", lastsWithoutRefreshToken, nil},
	{"no rotation", "a refresh token that lives on is good to the end, and revoked then", "", renewsWithoutRotation, nil},
	{"owns", "S-103: nobody behind us sees the cookies", "", owns, nil},
}

func TestSuite(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			for _, c := range suite {
				t.Run(c.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := newHouse(t, w, time.Now)
						_, keeper := h.begin()
						test := c.test
						if c.promise != "" && slices.ContainsFunc(keeper.Cannot(), func(e keep.Exception) bool { return e.Promise == c.promise }) {
							test = c.instead
						}
						test(t, h)
						h.settle()
						if t.Failed() {
							t.Logf("why it matters: %s", c.why)
						}
					})
				})
			}
		})
	}
}

// TestExceptionsHaveCases: whatever a way cannot keep is a case of the suite, and what it
// keeps instead is run.
func TestExceptionsHaveCases(t *testing.T) {
	for _, w := range ways {
		_, keeper := newHouse(t, w, time.Now).begin()
		for _, e := range keeper.Cannot() {
			found := false
			for _, c := range suite {
				found = found || c.promise == e.Promise && c.instead != nil
			}
			if !found {
				t.Errorf("%s: no case says what is kept instead of %s: %s", w.name, e.Promise, e.Why)
			}
		}
	}
}

func finds(t *testing.T, h *house) {
	s, _ := h.begin()
	alice, bob := h.signIn(s, "alice", nil), h.signIn(s, "bob", nil)
	h.wantFound(s, alice, "alice")
	h.wantFound(s, bob, "bob")
	h.wantFound(s, nil, "")
}

func ignoresJunk(t *testing.T, h *house) {
	for _, n := range []int{4, 40} {
		s, keeper := h.begin()
		alice := h.signIn(s, "alice", nil)
		var junk []*http.Cookie
		for name := range alice {
			for i := range n {
				junk = append(junk, &http.Cookie{Name: name, Value: fmt.Sprintf("junk-%d", i)})
			}
		}
		// Where tokens are shared, which of two is meant cannot be known: it is nobody's.
		if who, _, err := find(s, alice, junk...); who != "alice" && !errors.Is(err, fault.AmbiguousCookie) {
			t.Errorf("%d in front: %q, %v", n, who, err)
		}
		w := httptest.NewRecorder()
		err := s.End(t.Context(), w, alice.request(junk...))
		h.wantFound(s, alice, "")
		if h.pool.good("alice") != 0 && err == nil {
			t.Errorf("%d in front: signed out, and the grant is good", n)
		}
		if _, ok := keeper.(*keep.Stored); ok && err != nil {
			t.Errorf("%d in front: %v", n, err)
		}
	}
}

func twoPeople(t *testing.T, h *house) {
	s, _ := h.begin()
	alice, bob := h.signIn(s, "alice", nil), h.signIn(s, "bob", nil)
	var before []*http.Cookie
	for name, value := range bob {
		before = append(before, &http.Cookie{Name: name, Value: value})
	}
	if who, _, err := find(s, alice, before...); who != "" || !errors.Is(err, fault.AmbiguousCookie) {
		t.Errorf("a request with both is of %q, %v", who, err)
	}
}

func anotherClient(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	h.client = "another"
	other, _ := h.begin()
	if who, _, _ := find(other, alice); who != "" {
		t.Errorf("with another app client the request is of %q", who)
	}
	h.client = client
	h.wantFound(s, alice, "alice")
}

func swapsOnce(t *testing.T, h *house) {
	s, keeper := h.begin()
	alice := h.signIn(s, "alice", nil)
	held, err := keeper.Find(alice.request())
	if err != nil {
		t.Fatal(err)
	}
	next, err := keeper.Swap(t.Context(), held)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Swap(t.Context(), held); !errors.Is(err, keep.ErrChanged) {
		t.Errorf("written twice from one version: %v", err)
	}
	if _, err := keeper.Swap(t.Context(), next); err != nil {
		t.Errorf("written from the newest version: %v", err)
	}
	if _, err := keeper.End(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Swap(t.Context(), next); !errors.Is(err, fault.SessionEnded) {
		t.Errorf("written after its end: %v", err)
	}
}

func idles(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	for range 3 {
		time.Sleep(11 * time.Hour)
		alice = h.wantFound(s, alice, "alice")
	}
	time.Sleep(12*time.Hour + time.Second)
	if after := h.wantFound(s, alice, ""); len(after) != 0 {
		t.Errorf("the browser keeps %d cookies", len(after))
	}
}

func neverIdles(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(13 * time.Hour)
	h.wantFound(s, alice, "alice")
}

func ends(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	for range 7*24/11 - 1 {
		time.Sleep(11 * time.Hour)
		alice = h.wantFound(s, alice, "alice")
	}
	time.Sleep(11 * time.Hour)
	h.wantFound(s, alice, "alice")
	time.Sleep(11 * time.Hour)
	h.wantFound(s, alice, "")
}

func endsThoseBefore(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(time.Minute)
	bob := h.signIn(s, "bob", alice)
	h.settle()
	h.wantFound(s, bob, "bob")
	h.wantFound(s, alice, "")
	time.Sleep(61 * time.Minute)
	h.wantFound(s, alice, "")
	if n := h.pool.good("alice"); n != 0 {
		t.Errorf("%d grants of before are good", n)
	}
}

func keepsAnotherTabs(t *testing.T, h *house) {
	s, _ := h.begin()
	began := h.now()
	time.Sleep(time.Second)
	alice := h.signIn(s, "alice", nil)
	again := h.pool.signIn("alice")
	w := httptest.NewRecorder()
	if _, err := s.Begin(t.Context(), w, alice.request(), keep.Grant{Tokens: again, Began: began, Ours: true}); err != nil {
		t.Fatal(err)
	}
	h.settle()
	h.wantFound(s, alice, "alice")
	if n := h.pool.good("alice"); n != 1 {
		t.Errorf("%d grants are good", n)
	}
}

func happensOnce(t *testing.T, h *house) {
	one, _ := h.begin()
	two, _ := h.begin()
	secret, until := [32]byte{1}, h.now().Add(time.Minute)
	if !one.First(t.Context(), secret, until) || two.First(t.Context(), secret, until) || !two.First(t.Context(), [32]byte{2}, until) {
		t.Error("two processes take it")
	}
}

func happensOnceHere(t *testing.T, h *house) {
	s, _ := h.begin()
	secret, until := [32]byte{1}, h.now().Add(time.Minute)
	if !s.First(t.Context(), secret, until) || s.First(t.Context(), secret, until) {
		t.Error("it happens twice in one process")
	}
}

func refusesOthers(t *testing.T, h *house) {
	for name, change := range map[string]map[string]any{
		"person": {"sub": "mallory"}, "sign-in": {"auth_time": 1}, "nonce": {"nonce": "x"},
	} {
		s, _ := h.begin()
		alice := h.signIn(s, "alice", nil)
		time.Sleep(61 * time.Minute)
		h.pool.claims = change
		for range 2 {
			if who, _, _ := find(s, alice); who != "" {
				t.Errorf("another %s is taken for %s", name, who)
			}
		}
		h.settle()
		if n := h.pool.good("alice"); n != 0 {
			t.Errorf("another %s: %d grants that nobody holds are good", name, n)
		}
	}
}

func losesNothing(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	for range 3 {
		time.Sleep(61 * time.Minute)
		h.wantFound(s, alice, "alice") // and what the answer hands out is lost
	}
	after := h.wantFound(s, alice, "alice")
	time.Sleep(61 * time.Minute)
	h.wantFound(s, after, "alice")
}

func endsWithTheGrant(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	clear(h.pool.grants)
	h.wantFound(s, alice, "alice")
	time.Sleep(61 * time.Minute)
	for range 3 {
		h.wantFound(s, alice, "")
	}
	if n := h.pool.refreshes(); n != 1 {
		t.Errorf("the pool was asked %d times", n)
	}
}

func outlivesAnOutage(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	h.pool.answer = errAway
	time.Sleep(59*time.Minute + 45*time.Second)
	alice = h.wantFound(s, alice, "alice")
	h.settle()
	time.Sleep(time.Minute)
	if who, _, err := find(s, alice); who != "" || !fault.IsUnavailable(err) {
		t.Errorf("beyond the token's end: %q, %v", who, err)
	}
	h.pool.answer = nil
	time.Sleep(time.Minute)
	h.wantFound(s, alice, "alice")
}

func outlivesAPanic(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(61 * time.Minute)
	h.point = func(s step) {
		if s.kind == "pool refresh" {
			panic("out of order")
		}
	}
	if who, _, err := find(s, alice); who != "" || !fault.IsUnavailable(err) {
		t.Errorf("%q, %v", who, err)
	}
	h.point = func(step) {}
	time.Sleep(time.Minute)
	h.wantFound(s, alice, "alice")
}

func renewsOnce(t *testing.T, h *house) {
	one, _ := h.begin()
	two, _ := h.begin()
	alice := h.signIn(one, "alice", nil)
	time.Sleep(61 * time.Minute)
	h.wantFound(one, alice, "alice")
	h.wantFound(two, alice, "alice")
	if n := h.pool.refreshes(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// renewsOnceEach: a pool that lets the refresh token of before live on for a moment serves
// every process once, and one that does not signs nobody out whose browser has the newer.
func renewsOnceEach(t *testing.T, h *house) {
	one, _ := h.begin()
	two, _ := h.begin()
	alice := h.signIn(one, "alice", nil)
	time.Sleep(61 * time.Minute)
	newer := h.wantFound(one, alice, "alice")
	for range 3 {
		h.wantFound(one, newer, "alice")
		if who, after, err := find(two, alice); who != "" || err != nil || len(after) != len(alice) {
			t.Errorf("the other process, with what is spent: %q, %v; the browser keeps %d cookies", who, err, len(after))
		}
	}
	h.wantFound(two, newer, "alice")
	if n := h.pool.refreshes(); n != 2 {
		t.Errorf("%d refreshes, want one of each process", n)
	}
}

func operatorsEnd(t *testing.T, h *house) {
	s, _ := h.begin()
	alice, bob := h.signIn(s, "alice", nil), h.signIn(s, "bob", nil)
	for _, r := range h.records() {
		if r.Subject == "alice" {
			if err := h.store.Store.Delete(t.Context(), r.ID); err != nil {
				t.Error(err)
			}
		}
	}
	h.wantFound(s, alice, "")
	h.wantFound(s, bob, "bob")
}

// operatorsSeeNobody: what the browser carries is in no store, and a sign-in that an
// operator cannot end is ended by whoever holds it.
func operatorsSeeNobody(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	if n := len(h.records()); n != 0 {
		t.Errorf("%d records of somebody whom the browser carries", n)
	}
	h.wantFound(s, alice, "alice")
	if err := s.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	h.wantFound(s, alice, "")
	if n := h.pool.good("alice"); n != 0 {
		t.Errorf("%d grants are good", n)
	}
}

func endsAll(t *testing.T, h *house) {
	one, _ := h.begin()
	two, _ := h.begin()
	here, there, bob := h.signIn(one, "alice", nil), h.signIn(two, "alice", nil), h.signIn(two, "bob", nil)
	if n, err := h.store.Store.DeleteBySubject(t.Context(), keep.Binding(issuer, client), "alice"); n != 2 || err != nil {
		t.Errorf("%d sign-ins ended, %v", n, err)
	}
	for _, s := range []*keep.Sessions{one, two} {
		h.wantFound(s, here, "")
		h.wantFound(s, there, "")
		h.wantFound(s, bob, "bob")
	}
}

// endsOneByOne: a sign-out ends the sign-in of its browser, and no other of the person.
func endsOneByOne(t *testing.T, h *house) {
	s, _ := h.begin()
	laptop, phone := h.signIn(s, "alice", nil), h.signIn(s, "alice", nil)
	if err := s.End(t.Context(), httptest.NewRecorder(), laptop.request()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	h.wantFound(s, laptop, "")
	h.wantFound(s, phone, "alice")
	if n := h.pool.good("alice"); n != 1 {
		t.Errorf("%d grants are good", n)
	}
}

func endsEverywhere(t *testing.T, h *house) {
	one, _ := h.begin()
	two, _ := h.begin()
	alice := h.signIn(one, "alice", nil)
	if err := one.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
		t.Fatal(err)
	}
	h.wantFound(two, alice, "")
	endsHere(t, h)
}

func endsHere(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	w := httptest.NewRecorder()
	if err := s.End(t.Context(), w, alice.request()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if left := alice.after(w); len(left) != 0 {
		t.Errorf("the browser keeps %d cookies", len(left))
	}
	h.wantFound(s, alice, "")
	time.Sleep(61 * time.Minute)
	h.wantFound(s, alice, "")
	if n := h.pool.good("alice"); n != 0 {
		t.Errorf("%d grants are good", n)
	}
	other, _ := h.begin()
	h.wantFound(other, alice, "") // its access token has ended
}

func endsTwice(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	for range 2 {
		if err := s.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
			t.Error(err)
		}
	}
}

func looks(t *testing.T, h *house) {
	s, _ := h.begin()
	alice := h.signIn(s, "alice", nil)
	time.Sleep(61 * time.Minute)
	if held, err := s.Look(alice.request()); held == nil || err != nil || held.Subject != "alice" {
		t.Errorf("%v, %v", held, err)
	}
	if n := h.pool.refreshes(); n != 0 {
		t.Errorf("%d refreshes", n)
	}
}

func rechecks(t *testing.T, h *house) {
	s, keeper := h.begin()
	alice := h.signIn(s, "alice", nil)
	var lasted time.Duration
	for held := true; held && lasted < 24*time.Hour; lasted += 10 * time.Minute {
		time.Sleep(10 * time.Minute)
		again, err := s.Recheck(alice.request())
		if held = again != nil; err != nil {
			t.Fatal(err)
		}
	}
	h.settle()
	most := 12*time.Hour + 10*time.Minute
	if keeper.Carried() {
		most = time.Hour + 10*time.Minute
		if n := h.pool.refreshes(); n != 0 {
			t.Errorf("%d refreshes that nobody is handed", n)
		}
	}
	if lasted > most {
		t.Errorf("it lasts %v", lasted)
	}
}

func owns(t *testing.T, h *house) {
	s, _ := h.begin()
	for name := range h.signIn(s, "alice", nil) {
		if !s.Owns(name) || s.Owns("x"+name) || s.Owns(name+"x") || s.Owns(strings.ToUpper(name)) {
			t.Errorf("owns %s, or more", name)
		}
	}
}

// mark marks all sign-ins of a person stale, where a store has them.
func (h *house) mark(sub string) error {
	_, err := h.store.Store.MarkStale(context.Background(), keep.Binding(issuer, client), sub)
	return err
}

// records are the sign-ins in the store.
func (h *house) records() []session.Record {
	records, err := h.store.Store.List(context.Background(), session.Query{})
	if err != nil {
		h.t.Error(err)
	}
	return records
}
