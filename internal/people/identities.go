package people

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/replica"
)

// Identity is an account that a person has at a pool.
type Identity struct {
	Issuer, Subject string
	Username        string // empty: unknown
	Gone            bool   // the pool has deleted it
}

// ErrNoIdentities: the replica does not list the identities of a person.
var ErrNoIdentities = errors.New("the replica does not list the identities of a person")

// Identities returns every identity of the person of that subject: the subject at each of
// the issuers, and then those that the replica has beside it. After an error there may be
// more.
func (p *People) Identities(ctx context.Context, subject string, issuers ...string) ([]Identity, error) {
	all := make([]Identity, 0, len(issuers))
	for _, issuer := range issuers {
		all = append(all, Identity{Issuer: issuer, Subject: subject})
	}
	if p.Replica == nil || subject == "" {
		return all, nil // a person is an identity
	}
	lister, ok := p.Replica.(replica.IdentityLister)
	if !ok {
		return all, ErrNoIdentities
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var faults []error
	for _, issuer := range issuers {
		u, err := p.Replica.UserBySubject(ctx, issuer, subject)
		if errors.Is(err, replica.ErrNotFound) {
			continue
		}
		var users []replica.User
		if err == nil {
			users, err = lister.Identities(ctx, u.Person())
		}
		if err != nil {
			faults = append(faults, fault.Away("list the person's identities", err))
		}
		for _, u := range users {
			if !slices.ContainsFunc(all, func(i Identity) bool { return i.Issuer == u.Issuer && i.Subject == u.Subject }) {
				all = append(all, Identity{u.Issuer, u.Subject, u.Username, !u.Deleted.IsZero()})
			}
		}
	}
	return all, errors.Join(faults...)
}
