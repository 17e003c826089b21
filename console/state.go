package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// Level says how good or bad a fact is.
type Level string

// The levels. A page shows each in a word, not by its color alone.
const (
	Neutral Level = ""
	Good    Level = "good"
	Warning Level = "warning"
	Bad     Level = "bad"
)

// Word is what a page calls the level.
func (l Level) Word() string {
	switch l {
	case Good:
		return "OK"
	case Warning:
		return "Warning"
	case Bad:
		return "Fault"
	}
	return ""
}

// State is the state of the service.
type State struct {
	Panels []Panel `json:"panels"`
}

// Panel is a list of facts, or a table if Columns has names.
type Panel struct {
	Title   string     `json:"title"`
	Note    string     `json:"note,omitempty"`
	Facts   []Fact     `json:"facts,omitempty"`
	Columns []string   `json:"columns,omitempty"`
	Rows    [][]string `json:"rows,omitempty"`
}

// Fact is one statement on a page.
type Fact struct {
	Name   string    `json:"name"`
	Text   string    `json:"text"`
	Detail string    `json:"detail,omitempty"` // such as why
	Since  time.Time `json:"since,omitzero"`   // zero: not known
	Level  Level     `json:"level,omitempty"`
}

// statePage is what the template is given.
type statePage struct {
	Now    time.Time
	Worst  Level
	Counts string
	Panels []Panel
}

// Ago is how long a fact has been so.
func (p statePage) Ago(t time.Time) string { return age(p.Now.Sub(t)) }

func (c *Console) statePage(r *http.Request) statePage {
	p := statePage{Now: c.Now(), Worst: Good, Panels: c.State(r.Context()).Panels}
	faults, warnings := 0, 0
	for _, panel := range p.Panels {
		for _, f := range panel.Facts {
			switch f.Level {
			case Bad:
				faults++
			case Warning:
				warnings++
			}
		}
	}
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	switch {
	case faults > 0 && warnings > 0:
		p.Worst, p.Counts = Bad, count(faults, "fault")+" and "+count(warnings, "warning")
	case faults > 0:
		p.Worst, p.Counts = Bad, count(faults, "fault")
	case warnings > 0:
		p.Worst, p.Counts = Warning, count(warnings, "warning")
	default:
		p.Counts = "No faults"
	}
	return p
}

func (c *Console) showState(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	c.show(w, r, id, http.StatusOK, "state.html", frame{Title: "State", Here: c.Prefix + "/", Live: c.Prefix + "/state/events", Page: c.statePage(r)})
}

// maxStreams is how many open pages are brought up to date at once.
const maxStreams = 64

// followState sends what is new of the state for as long as an operator has the page open
// and is one.
func (c *Console) followState(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	c.follow(w, r, func() ([]byte, error) {
		var fragment bytes.Buffer
		err := templates.ExecuteTemplate(&fragment, "panels", c.statePage(r))
		return fragment.Bytes(), err
	})
}

// follow sends a part of a page whenever it has changed, as server-sent events.
func (c *Console) follow(w http.ResponseWriter, r *http.Request, render func() ([]byte, error)) {
	if c.streams.Add(1) > maxStreams {
		c.streams.Add(-1)
		w.Header().Set("Retry-After", "60")
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	defer c.streams.Add(-1)
	ctx, stop := c.Auth.Watch(r, c.operator)
	defer stop()
	h := w.Header()
	headers(h)
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep it until there is more
	control := http.NewResponseController(w)
	tick := time.NewTicker(c.Refresh)
	defer tick.Stop()
	var last []byte
	for {
		part, err := render()
		if err != nil {
			c.Logger.ErrorContext(ctx, "console page failed", "reason", err.Error())
			return
		}
		text := ": still here\n\n"
		if !bytes.Equal(part, last) {
			text = "data: " + strings.ReplaceAll(string(part), "\n", "\ndata: ") + "\n\n"
			last = part
		}
		if _, err := w.Write([]byte(text)); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-c.closing:
			return
		case <-tick.C:
		}
		// Watch asks once a minute. What is shown here is not for whoever was an operator then.
		if err := c.Auth.Recheck(r, c.operator); err != nil && !errors.Is(err, codegrant.ErrUnavailable) {
			_, _ = w.Write([]byte("event: end\ndata:\n\n"))
			_ = control.Flush()
			return
		}
	}
}
