package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/console"
)

// clock is one that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// TestDay: pictures are of the last day, and of no more; each says what it shows in words and
// numbers too.
func TestDay(t *testing.T) {
	at := &clock{at: time.Date(2026, 3, 4, 12, 10, 0, 0, time.UTC)}
	day := &console.Day{Now: at.now}
	day.Count(console.SignIns, "signed in") // before the start
	day.Start()
	d := newDesk(t, func(c *console.Config) { c.Day = day })
	alice := d.signIn("alice")
	page := func() string {
		t.Helper()
		r, body := d.get(alice, "/console/pictures")
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, body)
		}
		return body
	}
	if body := page(); strings.Count(body, "<rect") != 0 || strings.Count(body, "none in the last day") < 5 {
		t.Errorf("empty: %s", body)
	}
	for range 3 {
		day.Count(console.SignIns, "signed in")
	}
	day.Count(console.Refusals, hostile)
	for i := range 100 {
		day.Observe(time.Duration(i) * time.Millisecond)
	}
	at.add(time.Hour)
	day.Count(console.SignIns, "signed in")
	body := page()
	for _, want := range []string{
		`aria-label="signed in: 4 in the last day; at most 3, from 12:00 UTC"`, "<td>2026-03-04 13:00</td><td>1</td>",
		"100 in the last day", "&lt;script&gt;alert(1)&lt;/script&gt;⟨U&#43;202E⟩",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if half, most := between(body, "Half of them within"), between(body, "95 % of them within"); half < 45 || half > 75 || most < 90 || most > 140 {
		t.Errorf("half within %v ms, 95 %% within %v ms", half, most)
	}
	if n := day.Recent(console.SignIns, "signed in"); n != 1 {
		t.Errorf("recent: %d", n)
	}
	at.add(22*time.Hour + 40*time.Minute)
	if body := page(); !strings.Contains(body, "signed in: 4 in the last day") {
		t.Error("within the day")
	}
	at.add(20 * time.Minute)
	if body := page(); !strings.Contains(body, "signed in: 1 in the last day") {
		t.Error("a day later")
	}
	at.add(300 * time.Hour)
	if body := page(); strings.Count(body, "<rect") != 0 {
		t.Error("long after")
	}
}

// between is the value that a chart of that title has at most.
func between(body, title string) (v float64) {
	_, rest, _ := strings.Cut(body, title+": at most ")
	_, _ = fmt.Sscanf(rest, "%f ms", &v)
	return v
}

// TestS736_NamesAreBounded: whatever strangers have counted takes bounded room.
func TestS736_NamesAreBounded(t *testing.T) {
	day := new(console.Day)
	day.Start()
	d := newDesk(t, func(c *console.Config) { c.Day = day })
	alice := d.signIn("alice")
	for i := range 5000 {
		day.Count(console.Refusals, fmt.Sprint(i, strings.Repeat("z", 5000)))
	}
	if _, body := d.get(alice, "/console/pictures"); len(body) > 60_000 || strings.Count(body, "<figure>") > 13+9 || !strings.Contains(body, "other: 4988 in the last day") {
		t.Errorf("%d bytes, %d charts", len(body), strings.Count(body, "<figure>"))
	}
}

// TestNewNamesHaveRoom: names that nobody has counted for a day leave their room to new ones.
func TestNewNamesHaveRoom(t *testing.T) {
	at := &clock{at: time.Date(2026, 3, 4, 12, 10, 0, 0, time.UTC)}
	day := &console.Day{Now: at.now}
	day.Start()
	for i := range 12 {
		day.Count(console.Refusals, fmt.Sprint("old ", i))
	}
	at.add(time.Hour)
	day.Count(console.Refusals, "old 3")
	day.Count(console.Refusals, "one too many")
	at.add(23*time.Hour + 30*time.Minute)
	day.Count(console.Refusals, "new")
	for name, want := range map[string]int64{"new": 1, "other": 0, "old 3": 0} {
		if got := day.Recent(console.Refusals, name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	day.Count(console.Refusals, "old 3") // its room is still its own
	if day.Recent(console.Refusals, "old 3") != 1 {
		t.Error("a name of the last day has lost its room")
	}
}
