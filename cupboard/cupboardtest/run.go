package cupboardtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

// Harness is a store under test.
type Harness struct {
	// Store is empty.
	Store cupboard.Store
	// Beside is the same cupboard, as another process opens it. nil: there is no other.
	Beside cupboard.Store
	// Clock is what both go by; Advance puts it forward.
	Clock *Clock
	// Break has the store answer no more. nil: nothing can break it.
	Break func()
}

// Clock is a clock that tests put forward.
type Clock struct{ ahead atomic.Int64 }

// Now is the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance puts it forward.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Run runs the suite. open is called for each case, with a clock.
func Run(t *testing.T, open func(*testing.T, *Clock) Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a record is what was put", whatWasPut}, {"a record is put once", putOnce}, {"a record is taken once", takenOnce},
		{"of those who swap one wins", swapped}, {"a record ends by itself", ends}, {"kinds do not meet", kinds},
		{"lists go by person and by page", lists}, {"all of a person end", endAll}, {"a full shelf harms no other", full},
		{"changes come in order", watched}, {"an unwatched kind leaves no changes", unwatched}, {"a record that is too large is refused", tooLarge},
		{"a fault is never a missing record", faults},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := new(Clock)
			h := open(t, clock)
			h.Clock = clock
			if h.Beside == nil {
				h.Beside = h.Store
			}
			c.run(t, h)
		})
	}
}

var (
	plain = cupboard.Kind{Name: "plain", MaxRecords: 100, MaxOfPerson: 20, MaxBytes: 4096}
	other = cupboard.Kind{Name: "plain.other", MaxRecords: 100, MaxOfPerson: 20, MaxBytes: 4096}
	seen  = cupboard.Kind{Name: "seen", MaxRecords: 100, MaxOfPerson: 20, MaxBytes: 4096, Watched: true}
)

func (h Harness) record(name, person string) cupboard.Record {
	return cupboard.Record{Key: cupboard.Key(name), Person: person, Value: []byte("value of " + name), Until: h.Clock.Now().Add(time.Hour)}
}

func put(t *testing.T, s cupboard.Store, kind cupboard.Kind, records ...cupboard.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Put(t.Context(), kind, r); err != nil {
			t.Fatal(err)
		}
	}
}

func want(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want != cupboard.ErrUnavailable && errors.Is(err, cupboard.ErrUnavailable) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

func same(t *testing.T, got, want cupboard.Record, version int64) {
	t.Helper()
	if got.Key != want.Key || got.Person != want.Person || !bytes.Equal(got.Value, want.Value) || got.Version != version ||
		!got.Until.Equal(want.Until.Truncate(time.Microsecond)) {
		t.Errorf("got %+v, want %+v with version %d", got, want, version)
	}
}

func whatWasPut(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		r := h.record("a", "alice")
		r.Value = []byte("\x00\xff'\"\r\n{}")
		empty := h.record("b", "")
		empty.Value = nil
		put(t, h.Store, kind, r, empty)
		got, err := h.Beside.Get(t.Context(), kind, r.Key)
		want(t, "Get", err, nil)
		same(t, got, r, 1)
		got, err = h.Beside.Get(t.Context(), kind, empty.Key)
		want(t, "Get of an empty one", err, nil)
		same(t, got, empty, 1)
		_, err = h.Store.Get(t.Context(), kind, cupboard.Key("c"))
		want(t, "Get of none", err, cupboard.ErrNotFound)
	}
}

func putOnce(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		var wg sync.WaitGroup
		var won atomic.Int64
		for i := range 20 {
			store := h.Store
			if i%2 == 1 {
				store = h.Beside
			}
			wg.Go(func() {
				switch err := store.Put(t.Context(), kind, h.record("once", "alice")); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, cupboard.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("put %d times", won.Load())
		}
		if _, err := h.Store.Take(t.Context(), kind, cupboard.Key("once")); err != nil {
			t.Fatal(err)
		}
		put(t, h.Beside, kind, h.record("once", "bob")) // its place is free again
	}
}

func takenOnce(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		r := h.record("a", "alice")
		put(t, h.Store, kind, r)
		var wg sync.WaitGroup
		var won atomic.Int64
		for i := range 20 {
			store := h.Store
			if i%2 == 1 {
				store = h.Beside
			}
			wg.Go(func() {
				got, err := store.Take(t.Context(), kind, r.Key)
				switch {
				case err == nil:
					won.Add(1)
					same(t, got, r, 1)
				case !errors.Is(err, cupboard.ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("taken %d times", won.Load())
		}
		_, err := h.Store.Get(t.Context(), kind, r.Key)
		want(t, "Get of what was taken", err, cupboard.ErrNotFound)
		_, err = h.Store.Swap(t.Context(), kind, cupboard.Record{Key: r.Key, Version: 1, Until: r.Until})
		want(t, "Swap of what was taken", err, cupboard.ErrNotFound)
	}
}

func swapped(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		put(t, h.Store, kind, h.record("a", "alice"))
		var wg sync.WaitGroup
		for i := range 8 {
			store := h.Store
			if i%2 == 1 {
				store = h.Beside
			}
			wg.Go(func() {
				for done := 0; done < 5; {
					r, err := store.Get(t.Context(), kind, cupboard.Key("a"))
					if err == nil {
						r.Value, r.Person = append(bytes.Clone(r.Value), '.'), "mallory"
						r, err = store.Swap(t.Context(), kind, r)
					}
					switch {
					case err == nil:
						if r.Person != "alice" {
							t.Errorf("it is %s's", r.Person)
						}
						done++
					case !errors.Is(err, cupboard.ErrConflict):
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		r, err := h.Beside.Get(t.Context(), kind, cupboard.Key("a"))
		if err != nil || r.Version != 41 || len(r.Value) != len("value of a")+40 || r.Person != "alice" {
			t.Errorf("after 40 swaps: %+v, %v", r, err)
		}
	}
}

func ends(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		short, long := h.record("short", "alice"), h.record("long", "alice")
		short.Until = h.Clock.Now().Add(time.Minute)
		put(t, h.Store, kind, short, long)
		short.Version, short.Until = 1, short.Until.Add(time.Minute)
		if _, err := h.Store.Swap(t.Context(), kind, short); err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(90 * time.Second)
		if _, err := h.Store.Get(t.Context(), kind, short.Key); err != nil {
			t.Errorf("its end was put off: %v", err)
		}
		h.Clock.Advance(time.Minute)
		for what, err := range map[string]error{
			"Get": second(h.Store.Get(t.Context(), kind, short.Key)), "Take": second(h.Store.Take(t.Context(), kind, short.Key)),
			"Swap": second(h.Store.Swap(t.Context(), kind, short)),
		} {
			want(t, what+" after its end", err, cupboard.ErrNotFound)
		}
		if n, err := h.Store.Len(t.Context(), kind); n != 1 || err != nil {
			t.Errorf("Len = %d, %v", n, err)
		}
		if list, err := h.Store.List(t.Context(), kind, cupboard.Query{Person: "alice"}); len(list) != 1 || err != nil {
			t.Errorf("List = %v, %v", list, err)
		}
		again := h.record("short", "bob")
		put(t, h.Store, kind, again)
		got, err := h.Store.Get(t.Context(), kind, again.Key)
		want(t, "Get", err, nil)
		same(t, got, again, 1)
	}
}

func second(_ cupboard.Record, err error) error { return err }

func kinds(t *testing.T, h Harness) {
	put(t, h.Store, plain, h.record("a", "alice"))
	put(t, h.Store, other, h.record("a", "alice"))
	if n, err := h.Store.EndAll(t.Context(), plain, "alice"); n != 1 || err != nil {
		t.Errorf("EndAll = %d, %v", n, err)
	}
	if _, err := h.Store.Take(t.Context(), other, cupboard.Key("a")); err != nil {
		t.Errorf("the other kind's: %v", err)
	}
}

func lists(t *testing.T, h Harness) {
	for i := range 30 {
		put(t, h.Store, plain, h.record(fmt.Sprint(i), []string{"alice", "bob", "bob_"}[i%3]))
	}
	for person, all := range map[string]int{"": 30, "alice": 10, "bob": 10, "bo": 0, "BOB": 0} {
		n, q := 0, cupboard.Query{Person: person, Limit: 4}
		for {
			page, err := h.Beside.List(t.Context(), plain, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				if r.Key <= q.After || person != "" && r.Person != person || !strings.HasPrefix(string(r.Value), "value of ") {
					t.Errorf("%q after %q lists %+v", person, q.After, r)
				}
				q.After = r.Key
				n++
			}
			if len(page) < q.Limit {
				break
			}
		}
		if n != all {
			t.Errorf("%d of %q, want %d", n, person, all)
		}
	}
	if page, err := h.Store.List(t.Context(), plain, cupboard.Query{}); len(page) != 30 || err != nil {
		t.Errorf("%d, %v", len(page), err)
	}
}

func endAll(t *testing.T, h Harness) {
	for _, kind := range []cupboard.Kind{plain, seen} {
		put(t, h.Store, kind, h.record("a", "alice"), h.record("b", "alice"), h.record("c", "bob"), h.record("d", ""))
		if n, err := h.Beside.EndAll(t.Context(), kind, "alice"); n != 2 || err != nil {
			t.Errorf("EndAll = %d, %v", n, err)
		}
		if n, err := h.Store.EndAll(t.Context(), kind, ""); n != 0 || err != nil {
			t.Errorf("EndAll of nobody's = %d, %v", n, err)
		}
		if n, err := h.Store.Len(t.Context(), kind); n != 2 || err != nil {
			t.Errorf("Len = %d, %v", n, err)
		}
		_, err := h.Store.Get(t.Context(), kind, cupboard.Key("a"))
		want(t, "Get", err, cupboard.ErrNotFound)
	}
}

func full(t *testing.T, h Harness) {
	for i := range plain.MaxOfPerson {
		put(t, h.Store, plain, h.record(fmt.Sprint(i), "mallory"))
	}
	want(t, "Put of one more", h.Store.Put(t.Context(), plain, h.record("more", "mallory")), cupboard.ErrFull)
	for i := range plain.MaxRecords - plain.MaxOfPerson {
		put(t, h.Store, plain, h.record(fmt.Sprint("all ", i), ""))
	}
	want(t, "Put on a full shelf", h.Store.Put(t.Context(), plain, h.record("more", "alice")), cupboard.ErrFull)
	put(t, h.Store, other, h.record("more", "alice"))
	if _, err := h.Store.Take(t.Context(), plain, cupboard.Key("0")); err != nil {
		t.Fatal(err)
	}
	put(t, h.Store, plain, h.record("more", "mallory"))
	h.Clock.Advance(2 * time.Hour)
	put(t, h.Store, plain, h.record("after their end", "alice"))
	if n, err := h.Store.Len(t.Context(), plain); n != 1 || err != nil {
		t.Errorf("Len = %d, %v", n, err)
	}
}

func watched(t *testing.T, h Harness) {
	put(t, h.Store, seen, h.record("a", "alice"), h.record("b", "bob"), h.record("c", "alice"))
	all, err := h.Beside.Watch(t.Context(), seen, 0, 0)
	if err != nil || len(all) != 3 || all[0].Key != cupboard.Key("a") || all[2].Key != cupboard.Key("c") || all[0].Gone || string(all[1].Value) != "value of b" {
		t.Fatalf("Watch = %+v, %v", all, err)
	}
	since := all[2].Number
	first, err := h.Store.Get(t.Context(), seen, cupboard.Key("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store.Take(t.Context(), seen, cupboard.Key("b")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store.Swap(t.Context(), seen, first); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store.EndAll(t.Context(), seen, "alice"); err != nil {
		t.Fatal(err)
	}
	put(t, h.Store, seen, h.record("d", "carol"))
	var got []cupboard.Change
	for {
		page, err := h.Beside.Watch(t.Context(), seen, since, 1)
		if err != nil || len(page) > 1 {
			t.Fatal(page, err)
		}
		if len(page) == 0 {
			break
		}
		if page[0].Number <= since {
			t.Fatalf("%d after %d", page[0].Number, since)
		}
		since, got = page[0].Number, append(got, page[0])
	}
	if len(got) != 4 || got[0].Key != cupboard.Key("b") || !got[0].Gone || got[0].Person != "bob" || len(got[0].Value) > 0 || !got[1].Gone || !got[2].Gone ||
		got[3].Key != cupboard.Key("d") || got[3].Gone {
		t.Errorf("Watch = %+v", got)
	}
	h.Clock.Advance(2 * time.Hour)
	if left, err := h.Store.Watch(t.Context(), seen, 0, 0); len(left) != 0 || err != nil {
		t.Errorf("after their end: %+v, %v", left, err)
	}
}

func unwatched(t *testing.T, h Harness) {
	for i := range 3 * plain.MaxRecords {
		put(t, h.Store, plain, h.record(fmt.Sprint(i), "alice"))
		if _, err := h.Store.Take(t.Context(), plain, cupboard.Key(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if changes, err := h.Store.Watch(t.Context(), plain, 0, 0); len(changes) != 0 || err != nil {
		t.Errorf("Watch = %v, %v", changes, err)
	}
}

func tooLarge(t *testing.T, h Harness) {
	long := strings.Repeat("x", 300)
	for what, change := range map[string]func(*cupboard.Record){
		"key": func(r *cupboard.Record) { r.Key = long }, "no key": func(r *cupboard.Record) { r.Key = "" },
		"person": func(r *cupboard.Record) { r.Person = long }, "value": func(r *cupboard.Record) { r.Value = make([]byte, plain.MaxBytes+1) },
	} {
		r := h.record("a", "alice")
		change(&r)
		want(t, "Put with "+what, h.Store.Put(t.Context(), plain, r), cupboard.ErrTooLarge)
		want(t, "Swap with "+what, second(h.Store.Swap(t.Context(), plain, r)), cupboard.ErrTooLarge)
	}
	want(t, "Put on a shelf without limits", h.Store.Put(t.Context(), cupboard.Kind{Name: "x"}, h.record("a", "")), cupboard.ErrUnavailable)
}

func faults(t *testing.T, h Harness) {
	put(t, h.Store, plain, h.record("a", "alice"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(when string, ctx context.Context) {
		t.Helper()
		r := h.record("a", "alice")
		_, listErr := h.Store.List(ctx, plain, cupboard.Query{})
		_, endErr := h.Store.EndAll(ctx, plain, "alice")
		_, lenErr := h.Store.Len(ctx, plain)
		_, watchErr := h.Store.Watch(ctx, seen, 0, 0)
		for what, err := range map[string]error{
			"Put": h.Store.Put(ctx, plain, h.record("b", "")), "Get": second(h.Store.Get(ctx, plain, r.Key)), "Take": second(h.Store.Take(ctx, plain, r.Key)),
			"Swap": second(h.Store.Swap(ctx, plain, r)), "List": listErr, "EndAll": endErr, "Len": lenErr, "Watch": watchErr,
		} {
			want(t, what+" "+when, err, cupboard.ErrUnavailable)
			if errors.Is(err, cupboard.ErrNotFound) {
				t.Errorf("%s %s says that no record exists", what, when)
			}
		}
	}
	check("for who has gone", gone)
	if _, err := h.Store.Get(t.Context(), plain, cupboard.Key("a")); err != nil {
		t.Errorf("after that: %v", err)
	}
	if h.Break != nil {
		h.Break()
		check("of a cupboard that does not answer", t.Context())
	}
}
