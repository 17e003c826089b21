package people

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/replica"
)

// The sources of groups.
const (
	GroupsOfToken   = ""
	GroupsOfReplica = "replica"
	GroupsOfBoth    = "both"
)

// Accounts knows for a while what the replica has said of people. It is bounded; nil
// where nobody is looked up.
type Accounts struct {
	issuer string
	groups string // whose groups count
	store  replica.Store
	maxAge time.Duration
	now    func() time.Time

	mu         sync.Mutex
	young, old map[string]*account
}

type account struct {
	mu    sync.Mutex // held by whoever asks the replica: the others wait for the answer
	asked time.Time  // zero: never
	user  replica.User
	found bool
	past  int64 // the row of a session that the replica was asked for since, past what is known
}

const maxAccounts = 1 << 13

// NewAccounts returns nil, which looks nobody up, where maxAge is not above 0 or store
// is nil.
func NewAccounts(store replica.Store, issuer, groups string, maxAge time.Duration, now func() time.Time) *Accounts {
	if store == nil || maxAge <= 0 {
		return nil
	}
	return &Accounts{issuer: issuer, groups: groups, store: store, maxAge: maxAge, now: now, young: make(map[string]*account)}
}

func (b *Accounts) page(subject string) *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.young[subject]
	if !ok {
		if a, ok = b.old[subject]; !ok {
			a = new(account)
		}
		if len(b.young) >= maxAccounts {
			b.young, b.old = make(map[string]*account), b.young
		}
		b.young[subject] = a
	}
	return a
}

// saw notes what the replica has just said.
func (b *Accounts) saw(u replica.User) {
	if b == nil || u.Issuer != b.issuer {
		return
	}
	a := b.page(u.Subject)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.user, a.found, a.past = b.now(), u, true, 0
}

// look returns what the replica says of a person, no older than maxAge. A session of another
// row (0: of none) has the replica asked once: another process may have linked them since.
func (b *Accounts) look(ctx context.Context, subject string, row int64) (u replica.User, found bool, err error) {
	a := b.page(subject)
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := b.now().Sub(a.asked); !a.asked.IsZero() && age >= 0 && age < b.maxAge {
		if row == 0 || a.past == row || a.found && a.user.Person() == row {
			return a.user, a.found, nil
		}
	} else {
		row = 0
	}
	asked := b.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	u, err = b.store.UserBySubject(ctx, b.issuer, subject)
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		return replica.User{}, false, fault.Away("look up the user in the replica", err)
	}
	a.asked, a.user, a.found, a.past = asked, u, err == nil, row
	return a.user, a.found, nil
}

// Current brings somebody whose identity was proven a while ago in line with the
// replica: the account that row names is there and enabled, and so are the groups that
// were given here. It returns the row and the groups as they are now.
func (b *Accounts) Current(ctx context.Context, issuer, subject string, row int64, groups []string) (int64, []string, error) {
	if b == nil || issuer != b.issuer || subject == "" {
		return row, groups, nil
	}
	u, found, err := b.look(ctx, subject, row)
	switch {
	case err != nil:
		return 0, nil, err
	case !found && row == 0: // known by a token alone
		if b.groups == GroupsOfReplica {
			groups = nil
		}
		return 0, groups, nil
	case !found:
		return 0, nil, fault.UserGone
	case !u.Deleted.IsZero() || !u.Enabled:
		return 0, nil, fault.UserDisabled
	}
	if row != 0 {
		row = u.Person() // another than before where the account was made anew
	}
	if b.groups != GroupsOfToken {
		groups = groupsOf(u, b.groups, groups)
	}
	return row, groups, nil
}

func groupsOf(u replica.User, source string, token []string) []string {
	var groups []string
	if source == GroupsOfBoth {
		groups = slices.Clone(token)
	}
	for _, m := range u.Groups {
		if m.Origin == replica.OriginProvider || slices.Contains(groups, m.Name) {
			continue
		}
		if m.Local || m.Pool && source == GroupsOfReplica {
			groups = append(groups, m.Name)
		}
	}
	return groups
}
