package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/console"
)

// journal is one that remembers, behind a log that nobody reads.
func journal() (*console.Journal, *slog.Logger) {
	j := new(console.Journal)
	j.Start()
	return j, slog.New(j.Handler(slog.DiscardHandler))
}

// TestJournal: what was refused is found by a reason, a person or the reference of an error
// page, with all that is known of the request.
func TestJournal(t *testing.T) {
	j, log := journal()
	pool := log.With("pool", "one")
	pool.Info("signed in", "sub", "s1", "request_id", "r0")
	pool.Debug("unseen", "sub", "s1")
	pool.Warn("request refused", "sub", "s1", "reason", "needs group x", "correlation", "ref1", "request_id", "r1")
	log.Info("request", "status", 403, "decision", "forbidden", "sub", "s1", "request_id", "r1")
	log.Info("request", "status", 200, "decision", "passed", "sub", "s1", "request_id", "r2")
	log.Info("request", "status", 401, "decision", "unauthorized", "path", "/a", "request_id", "r3")
	log.Info("request", "status", 302, "route", "endpoint", "request_id", "r4")
	log.Info("request", "status", 302, "decision", "unauthorized", "path", "/b", "request_id", "r5") // sent to sign in
	if got := j.Of("s1"); len(got) != 3 || got[2].Event != "signed in" || got[2].Attr("pool") != "one" {
		t.Errorf("of s1: %+v", got)
	}
	if got := j.Refused(""); len(got) != 2 || got[0].Attr("decision") != "unauthorized" || got[1].Attr("reason") != "needs group x" {
		t.Errorf("refused: %+v", got)
	}
	if got := j.Refused("GROUP one"); len(got) != 1 || got[0].Event != "request refused" {
		t.Errorf("by words: %+v", got)
	}
	for _, reference := range []string{"ref1", "r1"} {
		if got := j.Story(reference); len(got) != 2 || got[0].Event != "request refused" || got[1].Attr("status") != "403" {
			t.Errorf("%s: %+v", reference, got)
		}
	}
	if got := j.Story("r5"); len(got) != 1 || got[0].Why() != "unauthorized" {
		t.Errorf("sent to sign in: %+v", got)
	}
	if got := j.Story("ref"); len(got) != 0 {
		t.Errorf("part of a reference: %+v", got)
	}
	if got := j.Story(""); len(got) != 0 {
		t.Errorf("no reference: %+v", got)
	}
}

// TestS736_StrangersPushNothingOut: however many requests strangers make, and whatever is in
// them, what is remembered of people stays, and the whole is bounded.
func TestS736_StrangersPushNothingOut(t *testing.T) {
	j, log := journal()
	log.Warn("request refused", "sub", "s1", "reason", "mine", "request_id", "r1")
	log.Warn("sign-in failed", "reason", "secret", "request_id", "r2", "correlation", "ref2")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 3000 {
				log.Info("request", "status", 401, "decision", "unauthorized", "path", strings.Repeat("x", 9000), "request_id", fmt.Sprint("s", i))
			}
		})
	}
	all.Wait()
	if got := j.Of("s1"); len(got) != 1 {
		t.Errorf("of a person: %d", len(got))
	}
	if got := j.Story("ref2"); len(got) != 1 {
		t.Errorf("a sign-in: %d", len(got))
	}
	got := j.Refused("unauthorized")
	if len(got) > 200 {
		t.Errorf("%d are shown", len(got))
	}
	for _, l := range got {
		if len(l.Attr("path")) > 400 {
			t.Fatalf("a value has %d bytes", len(l.Attr("path")))
		}
	}
}

// TestJournalBeforeItStarts: it costs nothing while there is no console.
func TestJournalBeforeItStarts(t *testing.T) {
	j := new(console.Journal)
	h := j.Handler(slog.NewTextHandler(new(lines), &slog.HandlerOptions{Level: slog.LevelError}))
	log := slog.New(h)
	log.Warn("request refused", "sub", "s1", "request_id", "r1")
	if h.Enabled(context.Background(), slog.LevelWarn) || len(j.Of("s1")) > 0 {
		t.Error("it remembers")
	}
	j.Start()
	log.Warn("request refused", "sub", "s1", "request_id", "r1")
	if len(j.Of("s1")) != 1 {
		t.Error("it does not remember")
	}
}

// TestRefused: the page has the story of a reference, harmless whatever is in it.
func TestRefused(t *testing.T) {
	j, log := journal()
	d := newDesk(t, func(c *console.Config) { c.Journal = j })
	alice := d.signIn("alice")
	log.Warn("sign-in failed", "reason", hostile, "correlation", "ref1", "request_id", "r1", "agent", hostile+strings.Repeat("y", 2048))
	for path, want := range map[string][]string{
		"/console/refused":                               {"The last refusals", "sign-in failed", "reference=ref1"},
		"/console/refused?reference=ref1":                {"The story of the request", "sign-in failed", "agent:"},
		"/console/refused?q=failed":                      {"sign-in failed"},
		"/console/refused?q=nothing":                     {"There are none"},
		"/console/refused?reference=other":               {"does not remember it"},
		"/console/refused?q=" + url.QueryEscape(hostile): {"The last refusals"},
	} {
		_, body := d.get(alice, path)
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, "\u202e") || strings.Contains(body, strings.Repeat("y", 400)) {
			t.Errorf("%s is not harmless", path)
		}
	}
}

// TestJournalCostsRequestsThatPassNothing: no memory beside that of the log itself.
func TestJournalCostsRequestsThatPassNothing(t *testing.T) {
	// The least of several turns: a buffer that the collector, or the race detector, has
	// taken out of a pool is made anew, whoever asks for it.
	allocations := func(log *slog.Logger) float64 {
		least := math.Inf(1)
		for range 20 {
			least = min(least, testing.AllocsPerRun(100, func() {
				log.LogAttrs(t.Context(), slog.LevelInfo, "request", slog.String("path", "/reports/17"), slog.Int("status", 200), slog.String("decision", "passed"), slog.String("sub", "s1"))
			}))
		}
		return least
	}
	j, to := new(console.Journal), slog.NewJSONHandler(io.Discard, nil)
	j.Start()
	if alone, beside := allocations(slog.New(to)), allocations(slog.New(j.Handler(to))); beside > alone {
		t.Errorf("%v allocations, and %v without the journal", beside, alone)
	}
}

// BenchmarkJournal is what the journal adds to a line of the log: one of a request that
// passed, as most are, one of a request that was refused, and one of a stranger who was sent
// to sign in; each with a log that writes them, and with one that does not want them.
func BenchmarkJournal(b *testing.B) {
	line := func(status int, decision string) []slog.Attr {
		return []slog.Attr{
			slog.String("method", "GET"), slog.String("host", "app.example.com"), slog.String("path", "/reports/17"), slog.String("from", "192.0.2.7"), slog.String("protocol", "HTTP/2.0"),
			slog.Int("status", status), slog.Float64("ms", 1.25), slog.String("pool", "default"), slog.String("route", "reports"), slog.String("decision", decision),
			slog.String("sub", "4ccb45d0-922d-41d4-aaeb-8b39b34461fe"), slog.String("request_id", "bPtNHxftolj0vlok"),
		}
	}
	for name, attrs := range map[string][]slog.Attr{"passed": line(200, "passed"), "forbidden": line(403, "forbidden"), "sent to sign in": line(302, "unauthorized")} {
		for level, to := range map[string]slog.Handler{"written": slog.NewJSONHandler(io.Discard, nil), "not wanted": slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})} {
			for _, with := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s, %s, journal %t", name, level, with), func(b *testing.B) {
					handler := to
					if with {
						j := new(console.Journal)
						j.Start()
						handler = j.Handler(to)
					}
					log := slog.New(handler)
					b.ReportAllocs()
					for b.Loop() {
						log.LogAttrs(b.Context(), slog.LevelInfo, "request", attrs...)
					}
				})
			}
		}
	}
}
