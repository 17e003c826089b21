package sqlstore

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/cutdb"
)

// TestPutCountsOnceASecond: a shelf with much room is not counted at each put, for that takes
// as long as there are records. Where there is little room, each put counts, and none is one
// too many, also if others have filled the shelf meanwhile.
func TestPutCountsOnceASecond(t *testing.T) {
	db, cut := cutdb.Open(t, "sqlite", testEngines[0].create(t))
	now := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	s, err := New(db, Config{Dialect: SQLite, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	kind := cupboard.Kind{Name: "many", MaxRecords: 20_000, MaxOfPerson: 1, MaxBytes: 16}
	n := 0
	put := func() (steps int, err error) {
		n++
		cut.At(-1)
		err = s.Cupboard().Put(t.Context(), kind, cupboard.Record{Key: cupboard.Key(fmt.Sprint(n)), Until: now.Add(time.Hour)})
		return cut.Seen(), err
	}
	others := func(many int) { // other processes put
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "+
			"INSERT INTO codegrant_cupboard (kind, name, person, version, number, gone, until, content) SELECT 'many', 'others-' || ? || '-' || n, '', 1, 0, 0, ?, '' FROM c",
			many, n, int64(math.MaxInt64)); err != nil {
			t.Fatal(err)
		}
	}
	steps := func(want int) {
		t.Helper()
		if got, err := put(); err != nil || got != want {
			t.Errorf("a put takes %d steps, %v; want %d", got, err, want)
		}
	}
	steps(3) // what has ended, the count, the record
	for range 20_000/partOfRoom - 1 {
		steps(2)
	}
	steps(2)
	steps(3) // a part of the room is used
	steps(2)
	now = now.Add(counted)
	steps(3)
	others(20_000 - muchRoom - n + 1)
	now = now.Add(counted)
	steps(3)
	steps(3) // little room
	others(muchRoom - 4)
	steps(3)
	if _, err := put(); !errors.Is(err, cupboard.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	var id, parent, unused int
	var plan string
	if err := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN DELETE FROM "+shelves{s}.ofPerson()+" WHERE kind = ? AND person = ? AND until > ?", "many", "a", 0).Scan(&id, &parent, &unused, &plan); err != nil || !strings.Contains(plan, "codegrant_cupboard_person (kind=? AND person=?)") {
		t.Errorf("those of a person are counted by %s, %v", plan, err)
	}
	kind.Name = "other"
	steps(3)
	kind.Name = "many"
	if _, err := put(); !errors.Is(err, cupboard.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
}
