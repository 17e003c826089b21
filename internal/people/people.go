package people

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// People asks the application. The zero value admits everybody and keeps no replica.
type People struct {
	Replica  replica.Store                                      // nil: none
	Accounts *Accounts                                          // nil: nobody is looked up again
	Ask      func(ctx context.Context, who *prove.Person) error // nil: everybody is admitted
	// Was says which identity of the replica somebody who signs in for the first time is
	// the same person as; nil, or an empty subject: nobody.
	Was func(ctx context.Context, claims *verify.Claims) (issuer, subject string, err error)
	// Partly hears of people whom the replica cannot hold whole, and of what it leaves
	// out. nil: nobody does.
	Partly func(ctx context.Context, subject string, err error)
}

// Admit asks the application about a person.
func (p *People) Admit(ctx context.Context, who *prove.Person) error {
	if p.Ask == nil {
		return nil
	}
	err := p.Ask(ctx, who)
	if err != nil && !fault.IsUnavailable(err) {
		err = fmt.Errorf("%w: %w", fault.NotAdmitted, err)
	}
	return err
}

// Asked reports whether there is anybody to ask.
func (p *People) Asked() bool { return p.Ask != nil || p.Replica != nil }

// Tell has the replica hear what an ID token says, where that is not what digest
// stands for. It returns the row of the person and what the next digest is compared
// with: 0 and digest where there is no replica, or nothing new.
func (p *People) Tell(ctx context.Context, claims *verify.Claims, signIn bool, digest [32]byte, row int64) (int64, [32]byte, error) {
	if p.Replica == nil {
		return row, digest, nil
	}
	snapshot, err := snapshotOf(claims).Fit()
	if err != nil && p.Partly != nil {
		p.Partly(ctx, claims.Subject, err)
	}
	sum := digestOf(snapshot)
	if sum == digest {
		return row, digest, nil
	}
	snapshot.SignIn, snapshot.Entering = signIn, !signIn
	if snapshot.Of, err = p.was(ctx, claims, signIn || row == 0); err != nil {
		return row, digest, err
	}
	change, err := p.Replica.Apply(ctx, snapshot)
	switch {
	case err != nil:
		return row, digest, fault.OfReplica("update the replica", err)
	}
	p.Accounts.saw(change.User)
	switch {
	case !change.User.Enabled:
		return row, digest, fault.UserDisabled // by the application: the pool has let them in
	}
	return change.User.Person(), sum, nil
}

// Told is what a replica hears.
type Told = replica.Snapshot

// Would returns what Tell of a sign-in would have the replica hear, and the row of the
// person, and tells it nothing: 0, and nothing, where there is no replica.
func (p *People) Would(ctx context.Context, claims *verify.Claims) (row int64, snapshot replica.Snapshot, err error) {
	if p.Replica == nil {
		return 0, replica.Snapshot{}, nil
	}
	if snapshot, err = snapshotOf(claims).Fit(); err != nil && p.Partly != nil {
		p.Partly(ctx, claims.Subject, err)
	}
	snapshot.SignIn = true
	if snapshot.Of, err = p.was(ctx, claims, true); err != nil {
		return 0, replica.Snapshot{}, err
	}
	u, err := p.Replica.UserBySubject(ctx, claims.Issuer, claims.Subject)
	switch {
	case errors.Is(err, replica.ErrNotFound):
		return 0, snapshot, nil
	case err != nil:
		return 0, replica.Snapshot{}, fault.Away("look up the user in the replica", err)
	}
	return u.Person(), snapshot, nil
}

// was asks the application who somebody was before, where they come in: by a sign-in, or
// by one that began elsewhere and that no row is known for yet. What cannot be true refuses them:
// whoever was let in as somebody new would have lost what is theirs.
func (p *People) was(ctx context.Context, claims *verify.Claims, comesIn bool) (*replica.Of, error) {
	if p.Was == nil || !comesIn {
		return nil, nil
	}
	issuer, subject, err := p.Was(ctx, claims)
	switch {
	case err != nil && fault.IsUnavailable(err):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", fault.NotAdmitted, err)
	case subject == "":
		return nil, nil
	}
	return &replica.Of{Issuer: issuer, Subject: subject, By: "sign-in"}, nil
}

// StillEnabled asks the replica once more when a session is there to be found. Whoever
// disables somebody does that first and then ends their sessions: one that was not
// there yet is seen to here, and every other one there. So does whoever merges people.
func (p *People) StillEnabled(ctx context.Context, issuer, subject string, person int64) error {
	if p.Replica == nil {
		return nil
	}
	u, err := p.Replica.UserBySubject(ctx, issuer, subject)
	switch {
	case err != nil:
		return fault.Away("look at the replica again", err)
	case !u.Enabled:
		return fault.UserDisabled
	case u.Person() != person:
		return fault.Away("look at the replica again", errMerged)
	}
	return nil
}

// errMerged: the next try comes in as whom they have become.
var errMerged = errors.New("the person was merged with another, or unlinked, while they signed in")

// snapshotOf is what an ID token says about a person. A token states some of the
// attributes (scopes and the app client's rights decide which) and all groups.
func snapshotOf(c *verify.Claims) replica.Snapshot {
	enabled := true // the pool issues no tokens to a disabled user
	s := replica.Snapshot{
		Issuer: c.Issuer, Subject: c.Subject,
		Username: c.Username, Email: c.Email, EmailVerified: c.EmailVerified,
		Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName,
		PhoneNumber: c.PhoneNumber, PhoneNumberVerified: c.PhoneNumberVerified, Locale: c.Locale,
		GroupsKnown: true, Enabled: &enabled, At: c.IssuedAt,
	}
	for _, name := range c.Groups {
		s.Groups = append(s.Groups, replica.GroupRef{Name: name})
	}
	for name, raw := range c.Custom {
		if s.Custom == nil {
			s.Custom = make(map[string]string)
		}
		// Cognito makes strings of them; a trigger can make anything.
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		s.Custom[name] = text
	}
	if c.Address != "" {
		if s.Custom == nil {
			s.Custom = make(map[string]string)
		}
		s.Custom["address"] = c.Address
	}
	return s
}

// digestOf identifies what a snapshot says about the person, apart from when.
func digestOf(s replica.Snapshot) [32]byte {
	s.At, s.SignIn = time.Time{}, false
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and maps of them
	}
	return sha256.Sum256(b)
}
