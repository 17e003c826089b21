package keep

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/prove"
)

// recentHeld is a sign-in as a browser presents it: tokens of a time.
func recentHeld(refresh string, issued time.Time) *Held {
	h := &Held{Key: "alice", Refreshes: true, set: &prove.Set{Refresh: cognito.Secret(refresh)}}
	h.Issued, h.Record.Created, h.Record.LastSeen = issued, issued, issued
	return h
}

// renewedTo writes a renewal of h.
func (t *recent) renewedTo(tt *testing.T, h *Held, refresh string, issued time.Time) *Held {
	tt.Helper()
	now, err := t.now(h)
	if err != nil {
		tt.Fatal(err)
	}
	next := *now
	next.from, next.set, next.Issued = h.set.Refresh, &prove.Set{Refresh: cognito.Secret(refresh)}, issued
	written, err := t.swap(&next)
	if err != nil {
		tt.Fatal(err)
	}
	return written
}

func TestRecentRows(t *testing.T) {
	began := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	rows := newRecent(false, func() time.Time { return began })
	first := recentHeld("refresh-0", began)
	held := first
	for i := range 20 {
		held = rows.renewedTo(t, held, fmt.Sprint("refresh-", i+1), began.Add(time.Duration(i+1)*time.Hour))
	}
	row, _ := rows.rows.get("alice")
	if len(row.before) != maxBefore {
		t.Errorf("%d refresh tokens of before are kept", len(row.before))
	}
	for i, follows := range map[int]bool{0: false, 11: false, 12: true, 19: true} {
		now, err := rows.now(recentHeld(fmt.Sprint("refresh-", i), began))
		if err != nil || now.handOut != follows {
			t.Errorf("who has refresh token %d is handed the latest: %t, %v", i, now.handOut, err)
		}
	}

	// One that was seen since is not made older by what was renewed before.
	late := recentHeld("refresh-19", began)
	late.Record.LastSeen, late.Record.Expires = began.Add(48*time.Hour), began.Add(60*time.Hour)
	if now, err := rows.now(late); err != nil || !now.Record.LastSeen.Equal(late.Record.LastSeen) || !now.Record.Expires.Equal(late.Record.Expires) {
		t.Errorf("seen %v, until %v, %v", now.Record.LastSeen, now.Record.Expires, err)
	}

	// Another line: whoever holds a token of the old one is given nothing of the new.
	other := rows.renewedTo(t, recentHeld("planted", began.Add(100*time.Hour)), "of-planted", began.Add(101*time.Hour))
	for _, of := range []string{"refresh-12", "refresh-19", "refresh-20"} {
		if now, err := rows.now(recentHeld(of, began)); err != nil || now.set.Refresh == other.set.Refresh {
			t.Errorf("%s, of another line: %v, %v", of, now.set.Refresh == other.set.Refresh, err)
		}
	}
	if now, err := rows.now(recentHeld("planted", began.Add(100*time.Hour))); err != nil || now.set.Refresh != other.set.Refresh {
		t.Errorf("of its own line: %v, %v", now.set.Refresh == other.set.Refresh, err)
	}

	// A new sign-in of a name begins at the first version.
	rows.begin("alice")
	if _, err := rows.swap(first); err != nil {
		t.Errorf("the first version of a new sign-in is not written: %v", err)
	}
	rows.end(first)
	if _, err := rows.now(first); !errors.Is(err, ErrSpent) {
		t.Errorf("after its end: %v", err)
	}

	// Tokens of which nobody knows whose they are share no row, and end none.
	nobodys := &Held{set: new(prove.Set)}
	if _, err := rows.swap(nobodys); !errors.Is(err, ErrSpent) {
		t.Errorf("a row without a name: %v", err)
	}
	if rows.end(nobodys); len(rows.ended.young) != 1 {
		t.Errorf("%d sign-ins have ended", len(rows.ended.young))
	}
}

// TestRecentRefused: a refusal frees the lease, and holds for the token that was refused.
func TestRecentRefused(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	rows := newRecent(true, func() time.Time { return now })
	h := recentHeld("refresh", now)
	leased := *h
	leased.Record.LeaseUntil = now.Add(refreshLease)
	if _, err := rows.swap(&leased); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.refused(h); !errors.Is(err, ErrSpent) {
		t.Errorf("refused: %v", err)
	}
	again, err := rows.now(h)
	if err != nil || again.Refreshes || !again.Record.LeaseUntil.IsZero() {
		t.Errorf("at once it is tried again: %t, under a lease until %v, %v", again.Refreshes, again.Record.LeaseUntil, err)
	}
	if other, err := rows.now(recentHeld("another", now)); err != nil || !other.Refreshes {
		t.Errorf("another token of the sign-in is not tried: %v", err)
	}
	now = now.Add(spentFor)
	if later, err := rows.now(h); err != nil || !later.Refreshes {
		t.Errorf("after %v it is not tried again: %v", spentFor, err)
	}
}

// TestRecentRefusedTooLate: that the pool refuses a refresh token says nothing where another
// has taken its place meanwhile.
func TestRecentRefusedTooLate(t *testing.T) {
	began := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	rows := newRecent(true, func() time.Time { return began })
	h := recentHeld("refresh-0", began)
	newer := rows.renewedTo(t, h, "refresh-1", began.Add(time.Hour))
	now, err := rows.refused(h)
	if err != nil || now.set.Refresh != newer.set.Refresh || !now.Refreshes || !now.handOut {
		t.Fatalf("the newer tokens are not returned: %v", err)
	}
	if _, err := rows.swap(now); err != nil {
		t.Errorf("they are not those of the row: %v", err)
	}
	if again, err := rows.now(h); err != nil || again.set.Refresh != newer.set.Refresh || !again.Refreshes {
		t.Errorf("later: %v", err)
	}
	if _, err := rows.refused(newer); !errors.Is(err, ErrSpent) {
		t.Errorf("the newest is refused: %v", err)
	}
}

// TestGenerations: what is used stays, and what is not is forgotten in the end.
func TestGenerations(t *testing.T) {
	g := newGenerations[int, int](20)
	for i := range 100 {
		g.put(i, i)
		if v, ok := g.get(0); !ok || v != 0 {
			t.Fatalf("what is used is forgotten after %d", i)
		}
		if v, ok := g.get(max(0, i-5)); !ok || v != max(0, i-5) {
			t.Fatalf("what was put 5 ago is forgotten after %d", i)
		}
	}
	if n := len(g.young) + len(g.old); n > 40 {
		t.Errorf("%d are kept", n)
	}
	if _, ok := g.get(1); ok {
		t.Error("what is not used is kept")
	}
	for i := range 100 {
		g.drop(i)
	}
	if n := len(g.young) + len(g.old); n != 0 {
		t.Errorf("%d are kept that were dropped", n)
	}
}
