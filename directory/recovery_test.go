package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// recoveries says what a test has it say.
type recoveries struct {
	mu     sync.Mutex // guards the fields below
	latest Recovery
	err    error
	asked  int
}

func (r *recoveries) Latest(context.Context) (Recovery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.err == nil && r.latest.ID == "" {
		return Recovery{}, ErrNotFound
	}
	return r.latest, r.err
}

func (r *recoveries) say(latest Recovery, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest, r.err = latest, err
}

// recovered is a recovery of two hours ago, to three hours ago.
func recovered(id string, status RecoveryStatus, deletes ...int) Recovery {
	now := time.Now().UTC()
	r := Recovery{ID: id, Status: status, To: now.Add(-3 * time.Hour), Asked: now.Add(-2 * time.Hour)}
	if len(deletes) > 0 {
		r.Deletes = &deletes[0]
	}
	return r
}

func (r *rig) status() Status {
	r.Helper()
	s, err := ReadStatus(r.Context(), r.journal, r.issuer)
	r.ok(err)
	return s
}

func (r *rig) refused(s *Sync, o Options, want error) Report {
	r.Helper()
	report, err := s.Run(r.Context(), o)
	if !errors.Is(err, want) {
		r.Fatalf("a pass with %+v: %v; want %v", o, err, want)
	}
	return report
}

// TestS684_NoPassWhileThePoolIsRecovered: while the pool goes back nothing of it is read, by
// any process that shares the journal, and the status says why; the pass after it is full,
// and settles it.
func TestS684_NoPassWhileThePoolIsRecovered(t *testing.T) {
	for _, status := range []RecoveryStatus{RecoveryRunning, RecoveryStuck} {
		t.Run(string(status), func(t *testing.T) {
			r := newRig(t)
			r.group("staff", nil)
			alice := r.user("alice")
			pool := new(recoveries)
			use := func(c *Config) { c.Recoveries = pool }
			r.full(use)
			pool.say(recovered("r1", status, 0), nil)
			before := r.calls("ListUsers") + r.calls("ListGroups")
			r.refused(r.sync(use), Options{DryRun: true}, ErrRecovering)
			if s := r.status(); s.Recovery.ID != "" {
				t.Errorf("a dry run has noted %+v", s.Recovery)
			}
			r.refused(r.sync(use), Options{}, ErrRecovering)
			r.refused(r.sync(), Options{Full: true, Fresh: true}, ErrRecovering) // by the journal
			if n := r.calls("ListUsers") + r.calls("ListGroups") - before; n != 0 {
				t.Errorf("the pool was asked %d times", n)
			}
			if s := r.status(); s.Recovery.ID != "r1" || s.Recovery.Status != status || !s.Unsettled || s.Fault != "" {
				t.Errorf("the status is %+v", s)
			}
			if _, err := r.sync(use).User(t.Context(), alice); !errors.Is(err, ErrRecovering) {
				t.Errorf("a look-up of one person: %v", err)
			}

			pool.say(recovered("r1", RecoveryCompleted), nil)
			r.join("alice", "staff") // which an incremental pass would not read
			report, err := r.sync(use).Run(t.Context(), Options{})
			r.ok(err)
			if !report.Full || !r.known(alice).InGroup("staff") {
				t.Errorf("the pass after it: %+v", report)
			}
			if s := r.status(); s.Unsettled || s.Recovery.Status != RecoveryCompleted || s.Recovery.Deletes == nil {
				t.Errorf("the status after it is %+v", s)
			}
			if report, err = r.sync(use).Run(t.Context(), Options{}); err != nil || report.Full {
				t.Errorf("the pass after that: %+v, %v", report, err)
			}
		})
	}
}

// TestS684_RecoveredUnderAPass: a pass that the pool goes back under ends before it removes
// anybody, and none goes on with it.
func TestS684_RecoveredUnderAPass(t *testing.T) {
	for _, status := range []RecoveryStatus{RecoveryRunning, RecoveryCompleted} {
		t.Run(string(status), func(t *testing.T) {
			r := newRig(t)
			var last string
			for i := range 70 {
				last = r.user(fmt.Sprint("user", i))
			}
			pool := new(recoveries)
			use := func(c *Config) { c.Recoveries = pool }
			r.full(use)
			r.remove("user69")
			r.injecting(func(_ http.ResponseWriter, op string, in request) bool {
				if op == "ListUsers" && in.PaginationToken != "" {
					pool.say(recovered("r1", status), nil)
				}
				return false
			})
			left := r.refused(r.sync(use), Options{Full: true}, ErrRecovering)
			r.injecting(nil)
			if !r.known(last).Deleted.IsZero() || r.status().Fault != "" {
				t.Errorf("the pass removed somebody, or says %q", r.status().Fault)
			}
			pool.say(recovered("r1", RecoveryCompleted), nil)
			report, err := r.sync(use).Run(t.Context(), Options{})
			r.ok(err)
			if report.Pass == left.Pass || report.Resumed != 0 || !report.Full || report.Removed != 1 {
				t.Errorf("the pass after it: %+v, after %+v", report, left)
			}
		})
	}
}

// TestS684_PassesWait: passes that are made again and again wait for the pool, and go on.
func TestS684_PassesWait(t *testing.T) {
	r := newRig(t)
	r.user("alice")
	pool := new(recoveries)
	pool.say(recovered("r1", RecoveryRunning), nil)
	s := r.sync(func(c *Config) { c.Recoveries = pool })
	ctx, stop := context.WithCancel(t.Context())
	done, over := make(chan Report, 10), make(chan error, 1)
	go func() {
		over <- s.Passes(ctx, Schedule{Every: time.Hour, Retry: time.Millisecond, Done: func(r Report, err error) {
			if err == nil {
				done <- r
			}
		}})
	}()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		pool.mu.Lock()
		asked := pool.asked
		pool.mu.Unlock()
		if asked > 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the pool is not asked again")
		}
	}
	if len(done) > 0 {
		t.Error("a pass was made")
	}
	pool.say(recovered("r1", RecoveryCompleted), nil)
	select {
	case report := <-done:
		if !report.Full || report.Users != 1 {
			t.Errorf("the pass is %+v", report)
		}
	case <-time.After(30 * time.Second):
		t.Error("no pass is made after it")
	}
	stop()
	<-over
}

// TestS685_DeletionsAreHeldAgainstThePreview: after a recovery a pass removes as many as its
// preview says, however large a share, and nobody where more are missing, until the operator
// says so.
func TestS685_DeletionsAreHeldAgainstThePreview(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		r.user(fmt.Sprint("user", i))
	}
	var log bytes.Buffer
	pool := new(recoveries)
	use := func(c *Config) { c.Recoveries, c.Logger = pool, slog.New(slog.NewTextHandler(&log, nil)) }
	r.full(use)
	for i := range 20 {
		r.remove(fmt.Sprint("user", i))
	}
	pool.say(recovered("r1", RecoveryCompleted, 20), nil)
	if report, err := r.sync(use).Run(t.Context(), Options{}); err != nil || report.Removed != 20 {
		t.Fatalf("as many as the preview says: %+v, %v", report, err)
	}

	for i := range 3 {
		r.remove(fmt.Sprint("user", 20+i))
	}
	pool.say(recovered("r2", RecoveryCompleted, 2), nil)
	for _, o := range []Options{{}, {Full: true, MaxShare: 1, scheduled: true}, {DryRun: true}} {
		report := r.refused(r.sync(use), o, ErrTooManyRemovals)
		if !report.Full || report.Withheld != 3 || !o.DryRun && report.Removed != 0 {
			t.Errorf("more than it says, with %+v: %+v", o, report)
		}
	}
	if s := r.status(); !s.Unsettled || s.Last.Withheld != 3 {
		t.Errorf("the status is %+v", s)
	}
	if _, err := r.sync(use).Run(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "recovery r2 says that 2 are deleted") {
		t.Errorf("the refusal is %v", err)
	}
	report, err := r.sync(use).Run(t.Context(), Options{MaxShare: 0.5})
	r.ok(err)
	if s := r.status(); report.Removed != 3 || s.Unsettled {
		t.Errorf("told to: %+v, and then %+v", report, s)
	}
}

// TestS686_EventsOfTheUndoneTime: what a recovery has taken back is not looked into; what
// happened after it is, and while it runs waits. Sign-outs are not taken back.
func TestS686_EventsOfTheUndoneTime(t *testing.T) {
	r := newRig(t)
	alice, bob, carol := r.user("alice"), r.user("bob"), r.user("carol")
	r.full()
	bobHere, carolHere := r.signIn(bob), r.signIn(carol)
	r.disable("alice")
	pool := new(recoveries)
	use := func(c *Config) { c.Recoveries = pool }
	done := recovered("r1", RecoveryCompleted, 0)
	event := func(k kind, subject string, at time.Time) Event {
		return Event{Name: "test", Subject: subject, Time: at, kind: k}
	}
	undone := done.To.Add(time.Minute)

	pool.say(done, nil)
	before := r.calls("ListUsers")
	r.ok(r.sync(patient, use).Look(t.Context(), []Event{event(disabled, alice, undone), event(disabled, alice, done.To), event(signedOut, bob, undone)}))
	if !r.known(alice).Enabled || r.session(bobHere) != "stale" || r.calls("ListUsers") != before {
		t.Errorf("undone: alice %+v, bob's session %s, %d calls", r.known(alice), r.session(bobHere), r.calls("ListUsers")-before)
	}
	for _, at := range []time.Time{done.To.Add(-time.Second), done.Asked, {}} {
		r.enable("alice")
		r.ok(r.sync(patient, use).Look(t.Context(), []Event{event(enabled, alice, time.Time{})}))
		r.disable("alice")
		r.ok(r.sync(patient, use).Look(t.Context(), []Event{event(disabled, alice, at)}))
		if r.known(alice).Enabled {
			t.Errorf("an event at %v is not looked into", at)
		}
	}

	running := recovered("r2", RecoveryRunning, 0)
	pool.say(running, nil)
	before = r.calls("ListUsers")
	s := r.sync(patient, use)
	err := s.Look(t.Context(), []Event{event(enabled, alice, time.Now()), event(signedOut, carol, time.Now())})
	if !errors.Is(err, ErrRecovering) || r.session(carolHere) != "stale" || r.calls("ListUsers") != before {
		t.Errorf("while it runs: %v, carol's session %s, %d calls", err, r.session(carolHere), r.calls("ListUsers")-before)
	}
	r.ok(s.Look(t.Context(), []Event{event(disabled, alice, running.To.Add(time.Minute))}))
	if r.calls("ListUsers") != before {
		t.Error("an undone event is looked into while it runs")
	}

	pool.say(recovered("r3", RecoveryAborted, 0), nil) // of which nobody knows what it has undone
	before = r.calls("ListUsers")
	r.ok(r.sync(patient, use).Look(t.Context(), []Event{event(disabled, alice, undone)}))
	if r.calls("ListUsers") == before {
		t.Error("an event before a recovery that was aborted is not looked into")
	}
}

// TestRecoveriesUnknown: where the pool may not be asked, passes go on as without; where it
// does not answer, that is not an answer.
func TestRecoveriesUnknown(t *testing.T) {
	r := newRig(t)
	alice := r.user("alice")
	var log bytes.Buffer
	pool := new(recoveries)
	s := r.sync(patient, func(c *Config) { c.Recoveries, c.Logger = pool, slog.New(slog.NewTextHandler(&log, nil)) })
	pool.say(Recovery{}, fmt.Errorf("%w: AccessDeniedException", ErrRefused))
	for range 2 {
		_, err := s.Run(t.Context(), Options{})
		r.ok(err)
	}
	if n := strings.Count(log.String(), "may not ask"); n != 1 {
		t.Errorf("the log says it %d times: %s", n, log.String())
	}
	pool.say(Recovery{}, ErrUnavailable)
	r.refused(s, Options{}, ErrUnavailable)
	if _, err := s.User(t.Context(), alice); err != nil {
		t.Errorf("with the answer of a moment ago: %v", err)
	}
	if _, err := r.sync(func(c *Config) { c.Recoveries = pool }).User(t.Context(), alice); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without any answer: %v", err)
	}
	if s := r.status(); s.Recovery.ID != "" || s.Unsettled {
		t.Errorf("the status is %+v", s)
	}
}

// TestNoteRecovery: a note of a recovery adds to what was known of it, and one that was
// started before another does not replace that.
func TestNoteRecovery(t *testing.T) {
	for name, open := range journalsToTest {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			journal := open(t)
			ok := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			first := recovered("r1", RecoveryPreviewed, 7)
			ok(NoteRecovery(t.Context(), journal, r.issuer, first))
			ok(NoteRecovery(t.Context(), journal, r.issuer, Recovery{ID: "r1", Status: RecoveryRunning}))
			got, err := ReadRecovery(t.Context(), journal.(Looker), r.issuer)
			if err != nil || got.Status != RecoveryRunning || *got.Deletes != 7 || !got.To.Equal(first.To) || !got.Asked.Equal(first.Asked) {
				t.Errorf("%+v, %v", got, err)
			}
			old := recovered("r0", RecoveryCompleted)
			old.Asked = old.Asked.Add(-time.Hour)
			pool := new(recoveries)
			pool.say(old, nil) // the listing does not have r1 yet
			r.refused(r.sync(func(c *Config) { c.Journal, c.Recoveries = journal, pool }), Options{}, ErrRecovering)
			ok(NoteRecovery(t.Context(), journal, r.issuer, Recovery{ID: "r2", Status: RecoveryPreviewed}))
			if got, err = ReadRecovery(t.Context(), journal.(Looker), r.issuer); err != nil || got.ID != "r2" || got.Deletes != nil {
				t.Errorf("another one: %+v, %v", got, err)
			}
		})
	}
}
