package prove

import (
	"context"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// Marks say from when on what proves a person counts. [notbefore.Marks] fulfils it.
//
// [notbefore.Marks]: https://pkg.go.dev/github.com/codegrant/codegrant/cupboard/notbefore
type Marks interface {
	// NotBefore is when the person was marked last; zero: never.
	NotBefore(ctx context.Context, issuer, subject string) (time.Time, error)
}

// Second is what becomes of a sign-in in the very second of a mark: tokens say no more
// of their time.
type Second bool

const (
	// Strictly takes it for one of before. What follows from the mark holds for certain.
	Strictly Second = false
	// Kindly takes it for one of after, where all of before have been ended by name.
	Kindly Second = true
)

// Counts refuses what proves a person by a sign-in that began before their last mark,
// as [fault.Revoked]. A refresh keeps the time of its sign-in: what it brings later is
// refused as well. A time that is not known is no reason to refuse.
func (p *Prover) Counts(ctx context.Context, subject string, began time.Time, same Second) error {
	if p.Marks == nil || began.IsZero() {
		return nil
	}
	at, err := p.Marks.NotBefore(ctx, p.issuer, subject)
	switch {
	case err != nil:
		return fault.Away("look for a mark of the person", err)
	case at.IsZero() || began.Unix() > at.Unix() || bool(same) && began.Unix() == at.Unix():
		return nil
	}
	return fault.Revoked
}

// Began is when the person proved who they are, as far as the tokens say.
func (p *Person) Began() time.Time { return beganAt(p.AuthTime, p.Issued) }

func beganAt(authTime, issued time.Time) time.Time {
	if authTime.IsZero() {
		return issued
	}
	return authTime
}
