package console

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Journal keeps the last log lines about people and requests in limited memory. Lines that
// a stranger causes do not replace others.
type Journal struct {
	on    atomic.Bool
	mu    sync.Mutex
	rings [3]ring
}

// Line is a line of the log.
type Line struct {
	At      time.Time
	Level   slog.Level
	Event   string
	Attrs   []Attr
	Request string // id of the request that it is about; empty: none
}

// Attr is a value of a line.
type Attr struct{ Name, Value string }

// Attr is the value of that name; empty where there is none.
func (l Line) Attr(name string) string {
	for _, a := range l.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Rest returns the values without their own column.
func (l Line) Rest() (rest []Attr) {
	for _, a := range l.Attrs {
		if !slices.Contains([]string{"reason", "sub", "subject", "request_id", "decision"}, a.Name) {
			rest = append(rest, a)
		}
	}
	return rest
}

// Person returns the person of a line. Empty: nobody.
func (l Line) Person() string {
	if s := l.Attr("sub"); s != "" {
		return s
	}
	return l.Attr("subject")
}

// Why returns the reason of a line, or the decision.
func (l Line) Why() string {
	if reason := l.Attr("reason"); reason != "" {
		return reason
	}
	return l.Attr("decision")
}

// Refuses reports whether a line says that something was refused or failed. A redirect to
// sign in is not a refusal.
func (l Line) Refuses() bool {
	if l.access() {
		return l.Attr("decision") != "unauthorized" || !strings.HasPrefix(l.Attr("status"), "3")
	}
	return l.Level >= slog.LevelWarn && l.Request != ""
}

// access reports whether it is the line that the access log has of a request.
func (l Line) access() bool { return l.Attr("decision") != "" && l.Attr("status") != "" }

// ring is what a kind of lines has room in.
type ring struct {
	lines []Line
	next  int
}

const (
	ringSize = 1024
	maxAttrs = 20
	maxValue = 300
)

func (r *ring) add(l Line) {
	if len(r.lines) < ringSize {
		r.lines = append(r.lines, l)
		return
	}
	r.lines[r.next] = l
	r.next = (r.next + 1) % ringSize
}

// Start begins to keep lines.
func (j *Journal) Start() { j.on.Store(true) }

// Handler returns a handler that keeps log records and passes them to next.
func (j *Journal) Handler(next slog.Handler) slog.Handler { return journaled{next, j, nil} }

type journaled struct {
	slog.Handler
	journal *Journal
	attrs   []slog.Attr
}

func (h journaled) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, level) || level >= slog.LevelInfo && h.journal.on.Load()
}

func (h journaled) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.journal.on.Load() {
		h.journal.note(r, h.attrs)
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h journaled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journaled{h.Handler.WithAttrs(attrs), h.journal, append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup hands on to the log alone: the journal has names without their groups.
func (h journaled) WithGroup(name string) slog.Handler {
	return journaled{h.Handler.WithGroup(name), h.journal, h.attrs}
}

// note remembers a line, unless it is that of a request which passed.
func (j *Journal) note(r slog.Record, before []slog.Attr) {
	fine := false
	r.Attrs(func(a slog.Attr) bool {
		fine = a.Key == "decision" && passed(a.Value.String())
		return !fine
	})
	if fine { // most lines are
		return
	}
	l := Line{At: r.Time, Level: r.Level, Event: clip(r.Message, maxValue), Attrs: make([]Attr, 0, min(len(before)+r.NumAttrs(), maxAttrs))}
	add := func(a slog.Attr) bool {
		value := clip(a.Value.Resolve().String(), maxValue)
		if a.Key == "request_id" {
			l.Request = value
		}
		if value != "" {
			l.Attrs = append(l.Attrs, Attr{a.Key, value})
		}
		return len(l.Attrs) < maxAttrs
	}
	for _, a := range before {
		add(a)
	}
	r.Attrs(add)
	if l.Attr("route") == "endpoint" && l.Attr("status") < "400" {
		return
	}
	of := 0
	switch {
	case l.Person() != "":
	case l.access() || l.Attr("route") == "endpoint":
		of = 2 // strangers make as many as they like
	default:
		of = 1
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rings[of].add(l)
}

func passed(decision string) bool { return decision == "passed" }

// find returns the lines that are wanted, the newest first.
func (j *Journal) find(want func(Line) bool) (found []Line) {
	j.mu.Lock()
	for i := range j.rings {
		for _, l := range j.rings[i].lines {
			if want(l) {
				found = append(found, l)
			}
		}
	}
	j.mu.Unlock()
	slices.SortStableFunc(found, func(a, b Line) int { return b.At.Compare(a.At) })
	return found
}

// mostShown is how many lines a page shows.
const mostShown = 200

// Of returns the last lines about a person.
func (j *Journal) Of(subject string) []Line {
	found := j.find(func(l Line) bool { return l.Person() == subject })
	return found[:min(len(found), 50)]
}

// Refused returns the last refusals that contain all words of a search. If a request has
// several lines, it leaves out those of the access log.
func (j *Journal) Refused(search string) []Line {
	words := strings.Fields(strings.ToLower(search))
	told := make(map[string]bool)
	found := j.find(func(l Line) bool {
		if l.Refuses() && !l.access() {
			told[l.Request] = true
		}
		return l.Refuses() && l.has(words)
	})
	found = slices.DeleteFunc(found, func(l Line) bool { return l.access() && l.Request != "" && told[l.Request] })
	return found[:min(len(found), mostShown)]
}

func (l Line) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	var text strings.Builder
	text.WriteString(strings.ToLower(l.Event))
	for _, a := range l.Attrs {
		text.WriteString("\n" + strings.ToLower(a.Value))
	}
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text.String(), w) })
}

// Story returns all lines about the requests of a reference, in order. A reference is what
// an error page shows, or the id of a request.
func (j *Journal) Story(reference string) []Line {
	if reference == "" {
		return nil
	}
	requests := make(map[string]bool)
	of := func(l Line) bool { return l.Request == reference || l.Attr("correlation") == reference }
	for _, l := range j.find(of) {
		if l.Request != "" {
			requests[l.Request] = true
		}
	}
	found := j.find(func(l Line) bool { return of(l) || requests[l.Request] && l.Request != "" })
	slices.Reverse(found)
	return found
}
