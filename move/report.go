package move

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	accounts "github.com/codegrant/codegrant/internal/linked"
)

// Report says how far the move is.
type Report struct {
	People    int            `json:"people"`    // of the old pool
	Arrived   int            `json:"arrived"`   // of these, in the new pool
	Waiting   int            `json:"waiting"`   // of these, not there, and can come by their password
	Federated map[string]int `json:"federated"` // of these, by provider: they come by it
	Linked    map[string]int `json:"linked"`    // of those who wait, by provider: have an account there, too
	Unlinked  map[string]int `json:"unlinked"`  // of those who arrived, by provider of the Tickets: an account there is not linked in the new pool
	Disabled  int            `json:"disabled"`  // of these, not there: they cannot come
	Unfit     int            `json:"unfit"`     // of these, not there: they have never confirmed their account
	Left      int            `json:"left"`      // of these: the new pool has had them, and they were deleted there; they stay away
	Twice     int            `json:"twice"`     // users of the new pool with the ticket of somebody else who is there
	Unproven  int            `json:"unproven"`  // users of the new pool whose attribute is not a ticket of this move
	Others    int            `json:"others"`    // users of the new pool who did not come from the old one
	Strangers map[string]int `json:"strangers"` // of these, by provider of the Tickets: the old pool does not have their account, so they came as somebody new
}

// arrivals are those who have come.
type arrivals struct {
	people    map[[16]byte]arrived  // by a hash of the sub
	links     map[[16]byte]struct{} // by a hash of the sub and an account that is linked
	strangers map[[16]byte]string   // providers, by a hash of the account; whom the old pool has is taken out
	named     map[string]bool       // usernames and subs of those whom an operator brings back
	stays     map[string]string     // of these, who stay away, by username and sub: why
}

// stay puts on record why somebody stays away whom an operator brings back.
func (a arrivals) stay(p person, why string) {
	if p.again {
		a.stays[p.sub], a.stays[p.username] = why, why
	}
}

// arrived is somebody who has come.
type arrived struct {
	complete bool // in all groups, and with a password
	again    bool // brought back by an operator
}

// lacks are accounts at providers of the Tickets that somebody who has come does not have.
func (t *Tickets) lacks(p person, links map[[16]byte]struct{}) (providers []string) {
	if len(linked(p)) == 0 {
		return nil
	}
	for _, a := range accountsOf(p) {
		if _, has := links[hashOf(p.sub+"\x00"+a.ProviderName+"\x00"+a.UserID)]; !has && slices.Contains(t.Providers, a.ProviderName) && !slices.Contains(providers, a.ProviderName) {
			providers = append(providers, a.ProviderName)
		}
	}
	return providers
}

func hashOf(sub string) (h [16]byte) {
	sum := sha256.Sum256([]byte(sub))
	copy(h[:], sum[:])
	return h
}

// arrived reads who of the old pool is in the new one.
func (m *Move) arrived(ctx context.Context, r *Report) (arrivals, error) {
	all := arrivals{make(map[[16]byte]arrived), make(map[[16]byte]struct{}), make(map[[16]byte]string), make(map[string]bool), make(map[string]string)}
	err := m.users(ctx, m.New, m.Tickets.new, func(u types.UserType) error {
		p := personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes)
		ticket := p.attributes[Attribute]
		if ticket == "" {
			r.Others++
			if a, ok := m.Tickets.ownAccount(p); ok {
				all.strangers[hashOfAccount(a)] = a.ProviderName
			}
			return nil
		}
		sub, err := m.Tickets.Open(ticket)
		if err != nil {
			r.Unproven++
			return nil
		}
		if _, there := all.people[hashOf(sub)]; there {
			r.Twice++
		}
		for _, a := range accountsOf(p) {
			all.links[hashOf(sub+"\x00"+a.ProviderName+"\x00"+a.UserID)] = struct{}{}
		}
		all.people[hashOf(sub)] = arrived{
			complete: strings.HasSuffix(ticket, complete) && u.UserStatus != types.UserStatusTypeForceChangePassword, again: m.Tickets.broughtBack(ticket),
		}
		return nil
	})
	return all, err
}

// Report reads both pools. waiting, unless it is nil, is called for each of those who wait,
// with the username and sub of the old pool.
func (m *Move) Report(ctx context.Context, waiting func(username, sub string) error) (Report, error) {
	r := newReport()
	there, err := m.arrived(ctx, &r)
	if err != nil {
		return r, err
	}
	return r, m.walk(ctx, there, &r, func(p person) error {
		if waiting == nil {
			return nil
		}
		return waiting(p.username, p.sub)
	}, nil)
}

func newReport() Report {
	return Report{Federated: make(map[string]int), Linked: make(map[string]int), Unlinked: make(map[string]int), Strangers: make(map[string]int)}
}

// walk counts the people of the old pool, and calls f for those who wait, and unlinked,
// unless it is nil, for those who have come without an account that is linked.
func (m *Move) walk(ctx context.Context, there arrivals, r *Report, f func(person) error, unlinked func(person)) error {
	if err := m.users(ctx, m.Old, m.Tickets.old, func(u types.UserType) error {
		p := personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes)
		r.People++
		for _, a := range accountsOf(p) {
			delete(there.strangers, hashOfAccount(a))
		}
		come, known := there.people[hashOf(p.sub)]
		left := !come.again && u.UserStatus != types.UserStatusTypeExternalProvider && m.Left != nil && m.Left(p.sub)
		if p.again = (left || come.again) && m.bringsBack(p); p.again {
			there.named[p.sub], there.named[p.username] = true, true
		}
		switch {
		case known && come.complete && !left:
			r.Arrived++
			lacks := m.Tickets.lacks(p, there.links)
			for _, provider := range lacks {
				r.Unlinked[provider]++
			}
			if len(lacks) > 0 && unlinked != nil {
				unlinked(p)
			}
			return nil
		case left && !p.again:
			r.Left++
			if m.OnLeft != nil {
				return m.OnLeft(p.username, p.sub)
			}
			return nil
		case u.UserStatus == types.UserStatusTypeExternalProvider:
			r.Federated[providerOf(p)]++
			return nil
		case !p.enabled:
			r.Disabled++
			there.stay(p, "they are disabled in the old pool")
			return nil
		case u.UserStatus == types.UserStatusTypeUnconfirmed:
			r.Unfit++
			there.stay(p, "they have never confirmed their account in the old pool")
			return nil
		}
		r.Waiting++
		for _, provider := range linked(p) {
			r.Linked[provider]++
		}
		return f(p)
	}); err != nil {
		return err
	}
	for _, provider := range there.strangers {
		r.Strangers[provider]++
	}
	return m.tellStrangers(ctx, there.strangers)
}

// tellStrangers calls OnStranger. Only the new pool knows how they are called.
func (m *Move) tellStrangers(ctx context.Context, strangers map[[16]byte]string) error {
	if m.OnStranger == nil || len(strangers) == 0 {
		return nil
	}
	return m.users(ctx, m.New, m.Tickets.new, func(u types.UserType) error {
		p := personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes)
		a, ok := m.Tickets.ownAccount(p)
		if _, stranger := strangers[hashOfAccount(a)]; !ok || !stranger {
			return nil
		}
		return m.OnStranger(p.username, p.sub)
	})
}

// ownAccount is that by which somebody of Providers signs in.
func (t *Tickets) ownAccount(p person) (a accounts.Account, ok bool) {
	all := accountsOf(p)
	if p.status != types.UserStatusTypeExternalProvider || len(all) == 0 || !slices.Contains(t.Providers, all[0].ProviderName) {
		return a, false
	}
	return all[0], true
}

func hashOfAccount(a accounts.Account) [16]byte { return hashOf(a.ProviderName + "\x00" + a.UserID) }

// bringsBack reports whether an operator has named somebody in BringBack.
func (m *Move) bringsBack(p person) bool {
	return slices.ContainsFunc(m.BringBack, func(name string) bool { return name == p.sub || name == p.username })
}

// providerOf is the identity provider of a federated user, as the pool has it in identities.
func providerOf(p person) string {
	if accounts := accountsOf(p); len(accounts) > 0 {
		return accounts[0].ProviderName
	}
	return "unknown"
}
