package keep

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/session"
)

// rowsOf is a keeper of one person's rows.
type rowsOf struct {
	Keeper
	lister
	rows  []session.Record
	ended []string
}

func (r *rowsOf) list(context.Context, string) ([]session.Record, error) { return r.rows, nil }

func (r *rowsOf) endID(_ context.Context, id string) error {
	r.ended = append(r.ended, id)
	return nil
}

// TestS587_WhichOneGivesWay has the second at which each row begins. It is 10 now.
func TestS587_WhichOneGivesWay(t *testing.T) {
	for name, tt := range map[string]struct {
		rows, made string
		max        int
		end        string // of the others end, or "refused" with Refuse
		refuse     string
	}{
		"none too many":                      {rows: "a1 b2", made: "b", max: 2},
		"one more":                           {rows: "a1 b2 c3", made: "c", max: 2, end: "a", refuse: "refused"},
		"the limit was higher":               {rows: "a1 b2 c3 d4", made: "d", max: 2, end: "a b", refuse: "refused"},
		"two at once, seen by the first":     {rows: "a9 b10", made: "a", max: 1, end: "a", refuse: "b"},
		"two at once, seen by the second":    {rows: "a9 b10", made: "b", max: 1, end: "a", refuse: "refused"},
		"the other's clock is a bit ahead":   {rows: "a9 b11", made: "a", max: 1, end: "a", refuse: "b"},
		"the other's clock is wrong":         {rows: "a9 b600", made: "a", max: 1, end: "b", refuse: "refused"},
		"two of a clock that is wrong":       {rows: "a9 b600 c601", made: "a", max: 2, end: "b", refuse: "refused"},
		"one of before, and one of a future": {rows: "a1 b9 c600", made: "b", max: 2, end: "c", refuse: "refused"},
	} {
		for _, refuse := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", the oldest ends", true: ", new ones are refused"}[refuse], func(t *testing.T) {
				rows := &rowsOf{}
				for row := range strings.FieldsSeq(tt.rows) {
					after, err := time.ParseDuration(row[1:] + "s")
					if err != nil {
						t.Fatal(err)
					}
					rows.rows = append(rows.rows, session.Record{ID: row[:1], Created: time.Unix(0, 0).Add(after)})
				}
				s := &Sessions{
					keeper: rows, people: &people.People{}, limit: Limit{Max: tt.max, Refuse: refuse}, notes: newNotes(Notes{}, slog.New(slog.DiscardHandler)),
					clock: func() time.Time { return time.Unix(10, 0) }, log: slog.New(slog.DiscardHandler),
				}
				held := &Held{Key: Key(tt.made)}
				held.Subject = "alice"
				err := s.within(t.Context(), held)
				got, want := strings.Join(rows.ended, " "), tt.end
				if refuse {
					want = tt.refuse
				}
				if errors.Is(err, fault.TooManySessions) {
					got, err = "refused", nil
				}
				if err != nil || got != want {
					t.Errorf("%q, %v; want %q", got, err, want)
				}
				if slices.Contains(rows.ended, tt.made) && refuse {
					t.Error("a new one that is refused is not for this to end")
				}
			})
		}
	}
}
