package console

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Day counts events of the last day for pictures, in limited memory. It counts nothing
// before [Day.Start].
type Day struct {
	// Now is the clock. Defaults to [time.Now]. Set it before Start.
	Now func() time.Time

	on    atomic.Bool
	mu    sync.Mutex
	slots [daySlots]slot
	names map[string][]string // by series
}

const (
	daySlots = 48
	slotTime = 24 * time.Hour / daySlots
	// maxNames is how many a series tells apart: a name may be made of what a stranger sent.
	maxNames = 12
	otherOne = "other"

	// latencies are counted by steps of half a power of two, from a tenth of a millisecond.
	steps     = 40
	firstStep = 100 * time.Microsecond
)

// slot is half an hour.
type slot struct {
	number  int64 // since 1970
	counts  map[[2]string]int64
	latency [steps + 1]int64
}

// Start begins to count.
func (d *Day) Start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.names == nil {
		d.names = make(map[string][]string)
	}
	d.on.Store(true)
}

// slotNow is that of this moment, empty where it has just begun.
func (d *Day) slotNow() *slot {
	number := d.Now().Unix() / int64(slotTime/time.Second)
	s := &d.slots[number%daySlots]
	if s.number != number {
		*s = slot{number: number, counts: make(map[[2]string]int64)}
	}
	return s
}

// Count adds one to a name in a series.
func (d *Day) Count(series, name string) {
	if !d.on.Load() {
		return
	}
	name = clip(plain(name), 80)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.slotNow()
	known := d.names[series]
	if !slices.Contains(known, name) {
		if len(known) >= maxNames {
			known = slices.DeleteFunc(known, func(old string) bool { return !d.counted(series, old, now.number) })
		}
		if len(known) < maxNames {
			known = append(known, name)
		} else {
			name = otherOne
		}
		d.names[series] = known
	}
	now.counts[[2]string{series, name}]++
}

// counted reports whether a slot of the last day has the name.
func (d *Day) counted(series, name string, now int64) bool {
	for _, s := range d.slots {
		if s.number > now-daySlots && s.counts[[2]string{series, name}] > 0 {
			return true
		}
	}
	return false
}

// Observe records how long a request took.
func (d *Day) Observe(took time.Duration) {
	if !d.on.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slotNow().latency[stepOf(took)]++
}

func stepOf(took time.Duration) int {
	if took <= firstStep {
		return 0
	}
	return min(steps, int(math.Ceil(2*math.Log2(float64(took)/float64(firstStep)))))
}

// ofStep is the longest time that a step counts.
func ofStep(i int) time.Duration {
	return time.Duration(float64(firstStep) * math.Pow(2, float64(i)/2))
}

// Recent returns the count of a name in this half hour and the one before.
func (d *Day) Recent(series, name string) (n int64) {
	if !d.on.Load() {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	number := d.slotNow().number
	for _, s := range d.slots {
		if s.number >= number-1 {
			n += s.counts[[2]string{series, name}]
		}
	}
	return n
}

// last are the slots of the last day, the oldest first; those without anything are zero.
func (d *Day) last() (all [daySlots]slot) {
	number := d.slotNow().number
	for i := range all {
		want := number - daySlots + 1 + int64(i)
		if s := d.slots[want%daySlots]; s.number == want {
			all[i] = s
		}
		all[i].number = want
	}
	return all
}

// Chart is one picture: a value for each half hour of the last day.
type Chart struct {
	Title  string
	Unit   string
	Values []float64
	From   time.Time // when the first half hour began
	Total  float64   // of counts; below zero: there is none
}

// charts of a series, those that happened most first. Names are there also where nothing
// has happened yet.
func (d *Day) charts(series string, names ...string) (all []Chart) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slots := d.last()
	found := append(slices.Clone(d.names[series]), otherOne)
	for _, n := range names {
		if !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	for _, name := range found {
		c := Chart{Title: name, From: slots[0].began()}
		for _, s := range slots {
			n := float64(s.counts[[2]string{series, name}])
			c.Values, c.Total = append(c.Values, n), c.Total+n
		}
		if c.Total > 0 || slices.Contains(names, name) {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Chart) int {
		if i, j := slices.Index(names, a.Title), slices.Index(names, b.Title); i >= 0 && j >= 0 {
			return i - j
		}
		switch {
		case a.Total > b.Total:
			return -1
		case a.Total < b.Total:
			return 1
		}
		return strings.Compare(a.Title, b.Title)
	})
	return all
}

func (s slot) began() time.Time { return time.Unix(s.number*int64(slotTime/time.Second), 0).UTC() }

// latencies are the times within which shares of the requests were answered, and how many
// there were.
func (d *Day) latencies() []Chart {
	d.mu.Lock()
	defer d.mu.Unlock()
	slots := d.last()
	all := []Chart{{Title: "Requests"}, {Title: "Half of them within", Unit: "ms", Total: -1}, {Title: "95 % of them within", Unit: "ms", Total: -1}}
	for i := range all {
		all[i].From = slots[0].began()
	}
	for _, s := range slots {
		n := int64(0)
		for _, count := range s.latency {
			n += count
		}
		all[0].Values, all[0].Total = append(all[0].Values, float64(n)), all[0].Total+float64(n)
		for i, share := range []float64{.5, .95} {
			value, seen := 0.0, int64(0)
			for step, count := range s.latency {
				if seen += count; n > 0 && float64(seen) >= share*float64(n) {
					value = float64(ofStep(step).Microseconds()) / 1000
					break
				}
			}
			all[i+1].Values = append(all[i+1].Values, value)
		}
	}
	return all
}
