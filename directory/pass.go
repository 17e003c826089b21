package directory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// progress is how far a pass is, as the journal keeps it.
type progress struct {
	Version int
	Report  Report
	Saved   time.Time
	Region  string  `json:",omitempty"` // of a pool that is replicated
	Limit   float64 // the share of users that the pass may remove, as it was begun
	Told    float64 `json:",omitempty"` // that share, where it was set for this pass alone

	// Groups up to this one, by name, are read, and those after it are as far as
	// the cursors say.
	GroupsRead string            `json:",omitempty"`
	Cursors    map[string]cursor `json:",omitempty"`

	// Walks are the parts of the listing of users.
	Walks []walk `json:",omitempty"`

	// Pending are the subjects of those whom the replica has been told of, perhaps,
	// and whose sessions nothing was done about yet.
	Pending []string `json:",omitempty"`

	// Unsettled is as of when users were removed, perhaps, whose sessions nothing
	// was done about yet. Zero: nobody was.
	Unsettled time.Time

	// Recovery is that which the pool had started last when the pass began, and Settled the
	// one after which a full pass was done that removed all whom it was to remove.
	Recovery Recovery
	Settled  string `json:",omitempty"`

	// LastFull is when the last full pass that was finished began.
	LastFull time.Time

	// Last is the last finished pass before this one. Fault says why this pass was
	// interrupted. Nil: it was not, or it continues.
	Last  *Report    `json:",omitempty"`
	Fault *passFault `json:",omitempty"`
}

// cursor is where to go on reading.
type cursor struct {
	After string `json:",omitempty"`
	Done  bool   `json:",omitempty"`
}

// walk is a part of the listing of users.
type walk struct {
	Prefix string `json:",omitempty"`
	cursor
}

const progressVersion = 1

// The phases of a pass.
const (
	phaseGroups   = "groups"
	phaseMembers  = "members"
	phaseUsers    = "users"
	phaseRemovals = "removals"
	phaseDone     = "done"
)

// resumeWithin is how long a pass can be gone on with: Cognito forgets after an
// hour how far a listing was.
const resumeWithin = 50 * time.Minute

// pass is one pass.
type pass struct {
	*Sync
	options Options
	term    *term

	mu sync.Mutex // guards progress and written
	progress
	written time.Time

	groups  map[string]Group // of the pool, by name; nil: it does not know of groups
	grouped bool             // memberships are stated
}

// resume returns the pass that was written last, if it can be gone on with and is
// what is wanted, and otherwise a new one.
func (s *Sync) resume(ctx context.Context, state []byte, o Options, latest Recovery) (*pass, error) {
	var was progress
	if len(state) > 0 {
		if err := json.Unmarshal(state, &was); err != nil || was.Version != progressVersion {
			s.log.Warn("the record of the last pass in the journal cannot be read: the pass starts again from the beginning", slog.Any("error", err))
			was = progress{}
		}
	}
	now, began := s.now(), s.now()
	if dated, ok := s.Source.(interface{ AsOf() time.Time }); ok {
		began = dated.AsOf().UTC().Truncate(time.Microsecond)
	}
	region := ""
	if replicated, ok := s.Source.(*Replicated); ok {
		var asOf time.Time
		var err error
		if region, asOf, err = replicated.begin(ctx); err != nil {
			return nil, err
		}
		began = asOf.UTC().Truncate(time.Microsecond)
	}
	// After a recovery, earlier knowledge of the pool is out of date.
	o.Full = o.Full || latest.started() && latest.ID != was.Settled
	p := &pass{Sync: s, options: o}
	unfinished := was.Report.Pass != "" && was.Report.Phase != phaseDone
	if unfinished && !o.Fresh && was.Region == region && was.Recovery.ID == latest.ID && (was.Report.Full || !o.Full) && now.Sub(was.Saved).Abs() < resumeWithin {
		p.progress = was
		p.Report.Resumed++
		p.Limit, p.Told, p.Recovery = max(p.Limit, o.MaxShare), max(p.Told, o.told), latest.with(p.Recovery)
		return p, nil
	}
	p.progress = progress{
		Version: progressVersion, Region: region, Limit: o.MaxShare, Told: o.told, LastFull: was.LastFull,
		Recovery: latest, Settled: was.Settled,
		Report: Report{Pass: "pass-" + strings.ToLower(rand.Text()), Full: o.Full, Phase: phaseGroups, Began: began, Started: now},
		// People whom the last pass left are still to be done.
		Pending: was.Pending, Unsettled: was.Unsettled,
		Last: was.Last, Fault: was.Fault, // until this one is done
	}
	if was.Report.Phase == phaseDone {
		p.Last = &was.Report
	}
	if was.Report.Pass != "" {
		p.forget(was.Report.Pass)
	}
	return p, nil
}

// now is the time as replicas keep it.
func (s *Sync) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// forget removes what the journal keeps of a pass. Nobody reads it any more, so it
// is not a fault of this pass if that fails.
func (p *pass) forget(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), forgetTimeout)
	defer cancel()
	if err := p.Journal.Forget(ctx, name); err != nil {
		p.log.Warn("cannot remove what the journal keeps of a pass", slog.String("pass", name), slog.Any("error", err))
	}
}

const forgetTimeout = time.Minute

// run goes through the phases that are left.
func (p *pass) run(ctx context.Context) error {
	log := p.log.With(slog.String("pass", p.Report.Pass))
	log.Info("pass begins", slog.Bool("full", p.Report.Full), slog.Int("resumed", p.Report.Resumed), slog.String("phase", p.Report.Phase))
	if err := p.save(); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	if err := p.readGroups(ctx); err != nil {
		return err
	}
	if p.unsettled() {
		log.Info("the pool was recovered: a full pass brings the replica in line", slog.String("recovery", p.Recovery.ID), slog.Time("to", p.Recovery.To))
	}
	var refused error
	for p.Report.Phase != phaseDone {
		err := p.steady(ctx, true)
		if err != nil {
			p.leave(log, err)
			return err
		}
		switch p.Report.Phase {
		case phaseGroups:
			err = p.enter(phaseMembers)
		case phaseMembers:
			if err = p.readMembers(ctx); err == nil {
				err = p.enter(phaseUsers)
			}
		case phaseUsers:
			if err = p.readUsers(ctx); err == nil {
				err = p.enter(phaseRemovals)
			}
		case phaseRemovals:
			if err = p.removeUnseen(ctx); errors.Is(err, ErrTooManyRemovals) {
				refused, err = err, nil
			}
			if err == nil && !p.Report.Full {
				err = p.regroup(ctx)
			}
			if err == nil {
				err = p.finish()
			}
		default:
			err = fmt.Errorf("the journal holds a pass in phase %q: make a fresh one", p.Report.Phase)
		}
		if err != nil {
			log.Warn("pass ends before it is done", slog.String("phase", p.Report.Phase), slog.Any("error", err))
			p.leave(log, err)
			return err
		}
	}
	p.forget(p.Report.Pass)
	r := p.Report
	log.Info("pass is done", slog.Int("users", r.Users), slog.Int("groups", r.Groups), slog.Int("members", r.Members),
		slog.Int("created", r.Created), slog.Int("changed", r.Changed), slog.Int("disabled", r.Disabled), slog.Int("regrouped", r.Regrouped),
		slog.Int("removed", r.Removed), slog.Int("refused", r.Refused), slog.Int("sessions_ended", r.SessionsEnded),
		slog.Int("sessions_stale", r.SessionsStale), slog.Duration("took", r.Finished.Sub(r.Started)))
	return refused
}

// leave writes how far a pass is that ends before it is done, also where that is
// because it was told to.
func (p *pass) leave(log *slog.Logger, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(why, context.Canceled) && !errors.Is(why, ErrRecovering) { // it was told to, or has to wait
		p.Fault = p.fault(why)
	}
	if err := p.saveLocked(p.term.last); err != nil {
		log.Warn("the last page will be read again", slog.Any("error", err))
	}
}

// enter begins a phase.
func (p *pass) enter(phase string) error {
	p.mu.Lock()
	p.Report.Phase = phase
	p.mu.Unlock()
	return p.save()
}

func (p *pass) finish() error {
	p.mu.Lock()
	p.Report.Finished = p.now()
	if p.Report.Full {
		p.LastFull = p.Report.Began
		if p.Report.Withheld == 0 && p.Region != secondaryRegion {
			p.Settled = p.Recovery.ID
		}
	}
	p.GroupsRead, p.Cursors, p.Walks = "", nil, nil
	p.Last, p.Fault = nil, nil
	p.mu.Unlock()
	return p.enter(phaseDone)
}

// save writes how far the pass is.
func (p *pass) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saveLocked(p.term.write)
}

func (p *pass) saveLocked(write func([]byte) error) error {
	p.Saved = p.now()
	state, err := json.Marshal(p.progress)
	if err != nil {
		return fmt.Errorf("write how far the pass is: %w", err)
	}
	if err := write(state); err != nil {
		return fmt.Errorf("write how far the pass is: %w", err)
	}
	p.written = time.Now()
	p.options.Progress(p.Report)
	return nil
}

// readGroups reads all groups. It is done by every process that goes on with a
// pass: groups that are gone since are not stated any more. A group that the
// listing does not have, and the replica has members of, is asked for by name.
func (p *pass) readGroups(ctx context.Context) error {
	groups, err := allGroups(ctx, p.Source)
	if errors.Is(err, ErrNoGroups) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.Report.Full {
		err := p.eachGroup(ctx, func(g replica.Group) error {
			if _, ok := groups[g.Name]; ok || g.Origin == replica.OriginLocal {
				return nil
			}
			missed, err := p.missed(ctx, g.Name)
			if missed {
				p.log.Warn("a group that was not in the listing is in the pool", slog.String("group", g.Name))
				groups[g.Name] = Group{Name: g.Name, Precedence: g.Precedence}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	p.groups, p.grouped = groups, p.Report.Full
	p.Report.Groups = len(groups)
	return p.defineGroups(ctx)
}

// defineGroups tells a replica that keeps what groups are, beside who is in them.
func (p *pass) defineGroups(ctx context.Context) error {
	if p.Report.DryRun {
		return nil
	}
	keeper, ok := p.Replica.(interface {
		DefineGroups(ctx context.Context, issuer string, groups []replica.GroupDefinition, at time.Time) error
	})
	if !ok {
		return nil
	}
	var all []replica.GroupDefinition
	for _, name := range slices.Sorted(maps.Keys(p.groups)) {
		g := p.groups[name]
		all = append(all, replica.GroupDefinition{Name: name, Precedence: g.Precedence, Description: g.Description, RoleARN: g.RoleARN})
	}
	return keeper.DefineGroups(ctx, p.Issuer, all, p.Report.Began)
}

// missed reports whether the source has a group that it did not list.
func (p *pass) missed(ctx context.Context, name string) (bool, error) {
	members := false
	err := p.eachMember(ctx, name, func(replica.User) error {
		members = true
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) || !members {
		return false, err
	}
	_, err = p.Source.Members(ctx, name, "")
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

func allGroups(ctx context.Context, source Source) (map[string]Group, error) {
	groups := make(map[string]Group)
	for after := ""; ; {
		page, err := source.Groups(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			groups[g.Name] = g
		}
		if after = page.Next; after == "" {
			return groups, nil
		}
	}
}

// readMembers reads the members of all groups into the journal, several groups at
// once, in the order of their names.
func (p *pass) readMembers(ctx context.Context) error {
	if !p.grouped {
		return nil
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.groups)) {
		if name > p.GroupsRead && !p.Cursors[name].Done {
			names = append(names, name)
		}
	}
	if p.Cursors == nil {
		p.Cursors = make(map[string]cursor)
	}
	return parallel(ctx, p.Concurrency, names, func(ctx context.Context, name string) error {
		p.mu.Lock()
		at := p.Cursors[name]
		p.mu.Unlock()
		for !at.Done {
			page, err := p.Source.Members(ctx, name, at.After)
			switch {
			case errors.Is(err, ErrNotFound): // since it was listed
				page = MemberPage{}
			case errors.Is(err, ErrStaleCursor) && at.After != "":
				at = cursor{}
				continue
			case err != nil:
				return err
			}
			if len(page.Subjects) > 0 {
				if err := p.Journal.AddMembers(ctx, p.Report.Pass, name, page.Subjects); err != nil {
					return fmt.Errorf("note the members of group %.64q: %w", name, err)
				}
			}
			at = cursor{After: page.Next, Done: page.Next == ""}
			if err := p.membersRead(name, at, len(page.Subjects), names); err != nil {
				return err
			}
		}
		return nil
	})
}

// membersRead takes note of a page of members, and writes how far the pass is, not
// too often.
func (p *pass) membersRead(name string, at cursor, members int, names []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Report.Members += members
	p.Cursors[name] = at
	// Groups that were read without a gap need no cursors.
	i, _ := slices.BinarySearchFunc(names, p.GroupsRead, strings.Compare)
	for ; i < len(names); i++ {
		if names[i] == p.GroupsRead {
			continue
		}
		if !p.Cursors[names[i]].Done {
			break
		}
		delete(p.Cursors, names[i])
		p.GroupsRead = names[i]
	}
	if time.Since(p.written) < saveEvery {
		return nil
	}
	return p.saveLocked(p.term.write)
}

// saveEvery is how much reading a process that is killed takes with it.
const saveEvery = time.Second
