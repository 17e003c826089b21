package codegrant

import (
	"fmt"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// oldPool is what goes on of the pool that people move from. A nil one has nothing.
type oldPool struct {
	client   *cognito.Client
	sessions *keep.Sessions
	people   *people.People
	bearer   bearerAuthenticator
}

// old makes it. nil: people come from nowhere.
func (s *site) old(lifetimes keep.Lifetimes, work *behind.Work) (*oldPool, error) {
	if s.OldPool == nil {
		return nil, nil
	}
	client, err := cognito.New(cognito.Config{Pool: *s.OldPool, HTTPClient: s.HTTPClient, Logger: s.Logger})
	if err != nil {
		return nil, fmt.Errorf("OldPool: %w", err)
	}
	there := &site{settings: s.settings, endpoints: client.Endpoints(), csrf: s.csrf, look: s.look}
	if there.endpoints.Issuer == s.endpoints.Issuer {
		return nil, fmt.Errorf("OldPool: it is Pool, %s", there.endpoints.Issuer)
	}
	// A person who is signed in there keeps their identity.
	there.Pool, there.OldPool, there.SamePerson = *s.OldPool, nil, nil
	there.binding = keep.Binding(there.endpoints.Issuer, there.Pool.ClientID)
	verifier, err := verify.New(verify.Config{
		Issuer: there.endpoints.Issuer, JWKSURL: there.endpoints.JWKS, ClientIDs: append([]string{there.Pool.ClientID}, s.BearerClientIDs...),
		Resources: s.BearerResources, HTTPClient: s.HTTPClient, Now: s.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("OldPool: %w", err)
	}
	prover := prove.New(verifier, there.endpoints.Issuer, there.Pool.ClientID, s.BearerIDTokens)
	prover.Marks = s.Marks
	folk := there.people(there.endpoints.Issuer)
	return &oldPool{
		client: client, people: folk, bearer: bearerAuthenticator{site: there, prover: prover},
		sessions: keep.New(keep.Config{
			Keeper: there.keeper(there.endpoints, prover, lifetimes, work), Pool: client, Prover: prover, People: folk, Behind: work,
			Lifetimes: lifetimes, Leeway: s.RefreshLeeway, Now: s.Now, Logger: s.Logger, Owed: there.owed(), Notes: there.notes(),
		}),
	}, nil
}

// kept is what sessions of ours have before them.
func (o *oldPool) kept() *keep.Sessions {
	if o == nil {
		return nil
	}
	return o.sessions
}

// has reports whether somebody is of the old pool.
func (o *oldPool) has(issuer string) bool { return o != nil && issuer == o.bearer.endpoints.Issuer }

// accounts are those of the pool that somebody is of.
func (g *gate) accounts(issuer string) *people.Accounts {
	if g.old.has(issuer) {
		return g.old.people.Accounts
	}
	return g.people.Accounts
}

// proverOf is that of the pool that somebody is of; nil: of none of ours.
func (a *Auth) proverOf(issuer string) *prove.Prover {
	switch {
	case a.gate.old.has(issuer):
		return a.gate.old.bearer.prover
	case issuer == a.gate.endpoints.Issuer:
		return a.bearer.prover
	}
	return nil
}

// clientOf asks the pool that somebody is of.
func (out *signOut) clientOf(issuer string) *cognito.Client {
	if out.old.has(issuer) {
		return out.old.client
	}
	return out.client
}

// OldIssuer returns the issuer of [Config.OldPool], and nothing without one.
func (a *Auth) OldIssuer() string { return a.gate.oldIssuer() }

// oldIssuer is that of the old pool, or nobody's.
func (s *settings) oldIssuer() string {
	if s.OldPool == nil {
		return ""
	}
	endpoints, err := s.OldPool.Endpoints()
	if err != nil {
		return "" // New says so
	}
	return endpoints.Issuer
}
