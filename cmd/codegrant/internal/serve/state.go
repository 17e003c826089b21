package serve

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
)

// view is what operators see of the process. It is found out once for all who look.
type view struct {
	process *process
	started time.Time

	mu      sync.Mutex
	found   console.State
	foundAt time.Time
	unread  map[string]string // why something cannot be read, as the log was told

	told    sync.Mutex
	changes []stateLine     // of dependencies, the newest last
	refused *refusedSetting // the last configuration that was; nil: none
}

type stateLine struct {
	at         time.Time
	name, text string
}

// refusedSetting is a configuration that was not taken.
type refusedSetting struct {
	at     time.Time
	faults []string
}

const (
	mostChanges = 100
	mostFaults  = 20
	// stateFor is how long what was found out is shown.
	stateFor = 2 * time.Second
)

// noteChange keeps what the log is told of a dependency.
func (s *view) noteChange(name, text string) {
	s.told.Lock()
	defer s.told.Unlock()
	if len(s.changes) == mostChanges {
		s.changes = slices.Delete(s.changes, 0, 1)
	}
	s.changes = append(s.changes, stateLine{time.Now(), name, text})
}

// noteRefused keeps the faults of a configuration that was not taken.
func (s *view) noteRefused(faults ...string) {
	if len(faults) > mostFaults {
		faults = append(faults[:mostFaults:mostFaults], fmt.Sprintf("and %d more", len(faults)-mostFaults))
	}
	s.told.Lock()
	defer s.told.Unlock()
	s.refused = &refusedSetting{time.Now(), faults}
}

func (s *view) get(ctx context.Context) console.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.foundAt) > stateFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		s.found, s.foundAt = s.find(ctx), time.Now()
	}
	return s.found
}

func (s *view) find(ctx context.Context) console.State {
	g := s.process.enter()
	defer g.leave()
	panels := []console.Panel{s.service(g), s.dependencies(g), s.signIns(), s.pools(g)}
	for _, panel := range []console.Panel{s.upstreams(g), s.sync(ctx, g), s.outbox(ctx, g), s.configuration(g), s.instances(ctx, g), s.keys(g), s.history()} {
		if len(panel.Facts)+len(panel.Rows) > 0 {
			panels = append(panels, panel)
		}
	}
	return console.State{Panels: panels}
}

func (s *view) service(g *generation) console.Panel {
	p, report := s.process, s.process.ready.report()
	ready := console.Fact{Name: "Requests of people who are signed in", Text: "can be answered", Level: console.Good}
	switch {
	case !report.Ready:
		ready.Text, ready.Level = "cannot be answered", console.Bad
	case report.Overloaded:
		ready.Text, ready.Level = "are refused when too many are in progress", console.Bad
	case report.Degraded:
		ready.Detail = "Something that they do not need does not work: see below."
	}
	facts := []console.Fact{
		ready,
		{Name: "Requests in progress", Text: strconv.FormatInt(p.inFlight.Load(), 10)},
		{Name: "This process", Text: "codegrant " + ops.Version() + ", " + runtime.Version(), Since: s.started},
	}
	if n := g.stores.live.Load(); n >= 0 {
		facts = append(facts, console.Fact{Name: "Live sessions", Text: fmt.Sprintf("%d, in %s", n, g.Sessions), Detail: "Counted once a minute."})
	}
	return console.Panel{Title: "Service", Facts: facts}
}

func (s *view) dependencies(g *generation) console.Panel {
	panel := console.Panel{Title: "Dependencies"}
	for _, d := range s.process.ready.report().Checks {
		f := console.Fact{Name: d.Name, Text: "answers", Since: d.Since, Level: console.Good}
		if d.expires {
			f.Text = "is good"
		}
		switch {
		case !d.OK:
			f.Text, f.Detail, f.Level = "does not answer", d.Error, console.Bad
			if d.expires {
				f.Text = "has expired"
			}
		case d.Warning != "":
			f.Text, f.Detail, f.Level = "expires soon", d.Warning, console.Warning
		}
		panel.Facts = append(panel.Facts, f)
	}
	for i := range g.Pools {
		name := g.Pools[i].Name
		panel.Facts = append(panel.Facts, tokenFact(name, s.process.metrics.outside.tokenEndpoint(name)))
	}
	return panel
}

func tokenFact(pool string, s endpointState) console.Fact {
	f := console.Fact{Name: "token endpoint of " + pool, Text: "answers", Level: console.Good}
	switch {
	case s.failed.After(s.answered):
		f.Text, f.Level, f.Since = "does not answer", console.Bad, s.failed
		f.Detail = s.reason + ". The last good answer came "
		if s.answered.IsZero() {
			f.Detail += "before this process began, if there was one."
		} else {
			f.Detail += "at " + s.answered.UTC().Format(time.RFC3339) + "."
		}
	case s.answered.IsZero():
		f.Text, f.Level, f.Detail = "not asked yet", "", "Sign-ins and refreshes ask it."
	default:
		f.Detail = "The last good answer came at " + s.answered.UTC().Format(time.RFC3339) + "."
		if s.took > slowAnswer {
			f.Text, f.Level = "is slow", console.Warning
			f.Detail = "Its last answer took " + s.took.Round(100*time.Millisecond).String() + ". Sign-ins and refreshes wait for it. " + f.Detail
		}
		if !s.failed.IsZero() {
			f.Detail += " It failed last at " + s.failed.UTC().Format(time.RFC3339) + ": " + s.reason + "."
		}
	}
	return f
}

// signIns are those of the last half hour, with why the last one came to nothing.
func (s *view) signIns() console.Panel {
	day, events := &s.process.day, s.process.journal
	failed, refused := day.Recent(console.SignIns, "failed"), day.Recent(console.SignIns, "refused")
	of := func(event string) (reason string) {
		if lines := events.Refused(event); len(lines) > 0 {
			reason = "The last one: " + lines[0].Attr("reason")
		}
		return reason
	}
	facts := []console.Fact{{Name: "Recent sign-ins", Text: strconv.FormatInt(day.Recent(console.SignIns, "signed in"), 10), Detail: "In this half hour and the one before."}}
	f := console.Fact{Name: "Failed", Text: strconv.FormatInt(failed, 10), Level: console.Good}
	if failed > 0 {
		f.Level, f.Detail = console.Bad, of("sign-in failed")
	}
	facts = append(facts, f)
	f = console.Fact{Name: "Refused", Text: strconv.FormatInt(refused, 10), Level: console.Good}
	if refused > 0 {
		f.Level, f.Detail = console.Warning, of("sign-in refused")
	}
	return console.Panel{Title: "Sign-ins", Facts: append(facts, f)}
}

func (s *view) pools(g *generation) console.Panel {
	panel := console.Panel{Title: "Pools"}
	offsets := s.process.metrics.outside.offsetsNow()
	for i := range g.Pools {
		pool := &g.Pools[i]
		running := g.pools[pool.Name]
		f := console.Fact{Name: "Callback of " + pool.Name, Text: callbackOf(pool)}
		switch running.callback.Load() {
		case callbackMissing:
			f.Level, f.Detail = console.Bad, "It is not registered at the app client: nobody can sign in. Add it to the allowed callback URLs, to the letter."
		case callbackThere:
			f.Level = console.Good
		default:
			f.Detail = "Whether it is registered is not known yet."
		}
		panel.Facts = append(panel.Facts, f)
		owed := console.Fact{Name: "Revocations queued for " + pool.Name, Text: strconv.FormatInt(running.owed.Load(), 10), Level: console.Good}
		switch n := running.owed.Load(); {
		case n < 0:
			owed.Text, owed.Level = "not known", console.Warning
		case n > 0:
			owed.Level, owed.Detail = console.Warning, "Refresh tokens that the pool has not revoked yet when it was asked to. It is asked again."
		}
		panel.Facts = append(panel.Facts, owed)
		if offset, ok := offsets[pool.Name]; ok {
			f := console.Fact{Name: "Clock against that of " + pool.Name, Text: "agrees", Level: console.Good}
			if offset.Abs() > clockOff {
				f.Text, f.Level = offset.Abs().Round(time.Second).String()+" ahead", console.Bad
				if offset < 0 {
					f.Text = offset.Abs().Round(time.Second).String() + " behind"
				}
				f.Detail = "Tokens are refused. Have the clock of this machine set by NTP."
			}
			panel.Facts = append(panel.Facts, f)
		}
	}
	return panel
}

func (s *view) upstreams(g *generation) console.Panel {
	panel := console.Panel{Title: "Upstreams"}
	for _, server := range g.gateway.Servers() {
		f := console.Fact{Name: server.Route, Text: server.Address, Level: console.Good}
		if !server.Up {
			f.Level, f.Detail = console.Bad, "It does not answer, and gets no requests."
		}
		panel.Facts = append(panel.Facts, f)
	}
	return panel
}

// poolsOnce are the pools, without other app clients of the same one.
func (g *generation) poolsOnce() (some []*settings.Pool) {
	seen := make(map[string]bool)
	for i := range g.Pools {
		if pool := &g.Pools[i]; !seen[pool.Issuer] {
			seen[pool.Issuer] = true
			some = append(some, pool)
		}
	}
	return some
}

func (s *view) sync(ctx context.Context, g *generation) console.Panel {
	panel := console.Panel{Title: "Synchronization"}
	if g.stores.replica == nil || g.stores.journal == nil {
		return panel
	}
	for _, pool := range g.poolsOnce() {
		found, err := directory.ReadStatus(ctx, g.stores.journal, pool.Issuer)
		if err != nil {
			s.cannotRead("passes over pool "+pool.Name, err)
			panel.Facts = append(panel.Facts, console.Fact{Name: pool.Name, Text: "not known",
				Detail: "The record of passes cannot be read. Without codegrant sync its tables do not exist, and this is not a fault: the replica knows people only from their sign-ins. With codegrant sync, the log has the reason: cannot be read."})
			continue
		}
		s.canRead("passes over pool " + pool.Name)
		panel.Facts = append(panel.Facts, syncFact(pool.Name, found, g.PassMaxAge, time.Now()))
	}
	return panel
}

// cannotRead tells the log why, once until the reason changes: the page is for people.
func (s *view) cannotRead(what string, err error) {
	if s.unread[what] == err.Error() {
		return
	}
	if s.unread == nil {
		s.unread = make(map[string]string)
	}
	s.unread[what] = err.Error()
	s.process.log.Info("cannot be read", "what", what, "reason", err.Error())
}

func (s *view) canRead(what string) { delete(s.unread, what) }

func syncFact(pool string, found directory.Status, maxAge time.Duration, now time.Time) console.Fact {
	f := console.Fact{Name: pool, Text: "no pass was made yet", Detail: "People are known only from their sign-ins. See codegrant sync."}
	if r := found.Last; r.Pass != "" {
		f.Text, f.Since, f.Level = "the last pass is done", r.Finished, console.Good
		f.Detail = fmt.Sprintf("It read %d people: %d new, %d changed, %d of them disabled and %d regrouped, %d removed, %d refused. It ended %d sessions, and marked %d to be renewed.",
			r.Users, r.Created, r.Changed, r.Disabled, r.Regrouped, r.Removed, r.Refused, r.SessionsEnded, r.SessionsStale)
		if found.Scheduled && !found.Next.IsZero() {
			f.Detail += " The next one is due at " + found.Next.UTC().Format(time.RFC3339) + "."
		}
		switch {
		case r.Withheld > 0:
			f.Level, f.Detail = console.Bad, fmt.Sprintf("%d people were missing, which is more than may go: nobody was removed. ", r.Withheld)+f.Detail
		case found.Age(now) > maxAge:
			f.Level, f.Text = console.Bad, "the last pass was long ago"
			f.Detail = "A person who was disabled since then may still be signed in. See that " + syncCommand + " runs; codegrant sync --user WHO ends one person's sessions at once. " + f.Detail
		}
	}
	switch {
	case !found.Running:
	case found.Current.Pass == "":
		f.Detail += " A pass is in progress: it asks the pool whether it can begin."
	default:
		f.Detail += fmt.Sprintf(" A pass is in progress: %s, %d people read.", found.Current.Phase, found.Current.Users)
	}
	if found.Fault != "" {
		f.Text, f.Level, f.Since = "the last pass failed", console.Bad, found.FaultAt
		f.Detail = found.Fault + ". " + f.Detail
	}
	return f
}

func (s *view) outbox(ctx context.Context, g *generation) console.Panel {
	panel := console.Panel{Title: "Outbox"}
	if g.stores.outbox == nil {
		return panel
	}
	f := console.Fact{Name: "Changes that nobody has taken", Level: console.Good}
	size, err := g.stores.outbox(ctx)
	switch {
	case err != nil:
		s.cannotRead("outbox", err)
		f.Text, f.Level, f.Detail = "not known", console.Warning, "The outbox cannot be read. The log says why: cannot be read."
	default:
		s.canRead("outbox")
		f.Text, f.Since = strconv.FormatInt(size.Entries, 10), size.Oldest
		if size.Entries > 0 && time.Since(size.Oldest) > outboxLate {
			f.Level, f.Detail = console.Bad, "Nobody reads it. See that the program that takes changes out of codegrant_outbox runs."
		}
	}
	panel.Facts = []console.Fact{f}
	return panel
}

func (s *view) configuration(g *generation) console.Panel {
	facts := []console.Fact{
		{Name: "In use", Text: hex.EncodeToString(g.Digest[:6]), Since: g.since, Detail: fmt.Sprintf("%s, %s; %s", terminal.Plural(len(g.Pools), "pool"), terminal.Plural(len(g.Routes), "route"), strings.Join(g.Files, ", ")), Level: console.Good},
	}
	for _, w := range g.Warnings {
		facts = append(facts, console.Fact{Name: "Allowed, but not recommended", Text: w.Error(), Level: console.Warning})
	}
	s.told.Lock()
	defer s.told.Unlock()
	if r := s.refused; r != nil {
		f := console.Fact{Name: "Last one that was refused", Text: terminal.Plural(len(r.faults), "fault"), Detail: strings.Join(r.faults, "; "), Since: r.at}
		if r.at.After(g.since) {
			f.Level = console.Bad
		}
		facts = append(facts, f)
	}
	return console.Panel{Title: "Configuration", Facts: facts}
}

func (s *view) keys(g *generation) console.Panel {
	panel := console.Panel{Title: "Keys and certificates"}
	names := keyNames(g.Keys)
	f := console.Fact{Name: "Sealing keys", Text: fmt.Sprintf("%d, the newest is %s", len(names), names[0]), Since: g.KeysSince}
	if !g.KeysGiven {
		f.Text, f.Detail = "only of this process", "They end with it, and so do sessions."
	}
	panel.Facts = append(panel.Facts, f)
	if g.Certificate != nil {
		f := console.Fact{Name: "Certificate", Text: "expires at " + g.Certificate.Expires.UTC().Format(time.RFC3339)}
		if g.cert != nil && g.cert.Leaf != nil {
			f.Since = g.cert.Leaf.NotBefore
		}
		panel.Facts = append(panel.Facts, f)
	}
	return panel
}

func (s *view) history() console.Panel {
	panel := console.Panel{Title: "Recent changes", Columns: []string{"When", "What", "How"}}
	s.told.Lock()
	defer s.told.Unlock()
	for _, l := range slices.Backward(s.changes) {
		panel.Rows = append(panel.Rows, []string{l.at.UTC().Format(time.RFC3339), l.name, l.text})
	}
	return panel
}

// offsetsNow are how far this machine's clock is ahead of the pools'.
func (o *outside) offsetsNow() map[string]time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.offsets)
}

// openJournal is what passes over the pools write to; nil: there is none.
func openJournal(s *settings.Settings, db *parts.Database) *directory.SQLJournal {
	if !s.Replica.Enabled {
		return nil
	}
	journal, err := directory.NewSQLJournal(db.DB, db.Dialect)
	if err != nil {
		return nil
	}
	return journal
}
