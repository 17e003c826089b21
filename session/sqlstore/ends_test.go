package sqlstore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

func TestEnduringStore(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Harness {
		c := new(clock)
		ends, _ := testEngines[0].store(t, Config{Now: c.now})
		s := session.NewEnduringStore(session.NewMemoryStore(session.MemoryConfig{Now: c.now}), ends,
			session.EnduringConfig{Now: c.now, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { s.Close() })
		return sessiontest.Harness{Store: s, Now: c.now, Advance: c.advance}
	})
}

func TestEnds(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		c := new(clock)
		s, db := e.store(t, Config{Now: c.now})
		until := c.now().Add(time.Hour).UTC()
		want := []session.End{{ID: "a ", Until: until}, {ID: "A", Void: true, Until: until}, {Pool: "p", Subject: "Ä", Before: c.now().UTC(), Until: until}}
		if err := s.PutEnds(t.Context(), want...); err != nil {
			t.Fatal(err)
		}
		got, err := s.EndsAfter(t.Context(), 0, 10)
		if err != nil || len(got) != len(want) {
			t.Fatalf("EndsAfter = %v, %v", got, err)
		}
		for i, w := range want {
			w.Number = got[i].Number
			if got[i] != w {
				t.Errorf("got %+v, want %+v", got[i], w)
			}
		}
		if rest, err := s.EndsAfter(t.Context(), got[0].Number, 1); err != nil || len(rest) != 1 || rest[0].ID != "A" {
			t.Errorf("EndsAfter the first = %v, %v", rest, err)
		}
		// What fits no session is nobody's, and many are put on record at once.
		many := []session.End{{ID: strings.Repeat("x", 256), Until: until}}
		for i := range 250 {
			many = append(many, session.End{ID: fmt.Sprint(i), Until: until.Add(time.Hour)})
		}
		if err := s.PutEnds(t.Context(), many...); err != nil {
			t.Fatal(err)
		}
		// Those that have had their time are removed, in time.
		c.advance(time.Hour + endsKept)
		for range 1000 {
			if err := s.PutEnds(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err = s.EndsAfter(t.Context(), 0, 1000); err != nil || len(got) == 250 {
				break
			}
		}
		if err != nil || len(got) != 250 || got[0].ID != "0" || got[249].ID != "249" {
			t.Errorf("%d ends are left, %v", len(got), err)
		}
		if _, err := db.ExecContext(t.Context(), "DROP TABLE codegrant_session_ends"); err != nil {
			t.Fatal(err)
		}
		if err := s.PutEnds(t.Context(), want...); !errors.Is(err, ErrNotMigrated) || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("PutEnds without the table = %v", err)
		}
	})
}
