package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// GroupSource says whose groups an identity is in.
type GroupSource string

// The sources of groups.
const (
	// GroupsOfToken are the groups that the pool put in the ID token. The default.
	GroupsOfToken GroupSource = ""
	// GroupsOfReplica are the groups that the replica has the person in: the pool's as it
	// last stated them, and those that were given here, by GrantLocalGroup or in Django.
	GroupsOfReplica GroupSource = "replica"
	// GroupsOfBoth are the token's groups, and of the replica's those that were given here.
	GroupsOfBoth GroupSource = "both"
)

// defaultUserMaxAge is for replicas whose tables somebody else writes to as well.
const defaultUserMaxAge = 30 * time.Second

var (
	errUserGone = fmt.Errorf("%w: the application has deleted the user", ErrSessionEnded)

	// errAccountConflict: the application's accounts leave open which one is the
	// person's. The cause, for the log, says what an operator can do.
	errAccountConflict = fmt.Errorf("%w: which account is the person's is not clear", ErrInvalid)
)

// replicaFault is a refusal where a person has to decide, and otherwise a fault that
// says nothing about anybody.
func replicaFault(what string, err error) error {
	if errors.Is(err, replica.ErrConflict) && !errors.Is(err, replica.ErrUnavailable) {
		return fmt.Errorf("%w: %w", errAccountConflict, err)
	}
	return unavailable(what, err)
}

// accountBook knows for a while what the replica has said of people. It is bounded; nil
// where nobody is looked up.
type accountBook struct {
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
}

const maxAccounts = 1 << 13

func newAccountBook(s *settings) *accountBook {
	if s.Replica == nil || s.UserMaxAge <= 0 {
		return nil
	}
	return &accountBook{store: s.Replica, maxAge: s.UserMaxAge, now: s.Now, young: make(map[string]*account)}
}

func (b *accountBook) page(issuer, subject string) *account {
	key := issuer + " " + subject
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.young[key]
	if !ok {
		if a, ok = b.old[key]; !ok {
			a = new(account)
		}
		if len(b.young) >= maxAccounts {
			b.young, b.old = make(map[string]*account), b.young
		}
		b.young[key] = a
	}
	return a
}

// saw notes what the replica has just said.
func (b *accountBook) saw(u replica.User) {
	if b == nil {
		return
	}
	a := b.page(u.Issuer, u.Subject)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.user, a.found = b.now(), u, true
}

// look returns what the replica says of a person, no older than maxAge.
func (b *accountBook) look(ctx context.Context, issuer, subject string) (u replica.User, found bool, err error) {
	a := b.page(issuer, subject)
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := b.now().Sub(a.asked); !a.asked.IsZero() && age >= 0 && age < b.maxAge {
		return a.user, a.found, nil
	}
	asked := b.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	u, err = b.store.UserBySubject(ctx, issuer, subject)
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		return replica.User{}, false, unavailable("look up the user in the replica", err)
	}
	a.asked, a.user, a.found = asked, u, err == nil
	return a.user, a.found, nil
}

// current brings an identity that was proven a while ago in line with the replica: the
// account that it names is there and enabled, and so are the groups that were given here.
// It returns the identity itself where nothing is different.
func (a *Auth) current(ctx context.Context, id *Identity) (*Identity, error) {
	if a.accounts == nil || id.Issuer != a.endpoints.Issuer || id.Subject == "" {
		return id, nil
	}
	u, found, err := a.accounts.look(ctx, id.Issuer, id.Subject)
	switch {
	case err != nil:
		return nil, err
	case !found && id.UserID == 0: // known by a token alone
		if a.Groups == GroupsOfReplica {
			return id.with(0, nil), nil
		}
		return id, nil
	case !found:
		return nil, errUserGone
	case !u.Deleted.IsZero() || !u.Enabled:
		return nil, ErrUserDisabled
	}
	userID := id.UserID
	if userID != 0 {
		userID = u.ID // another than before where the account was made anew
	}
	groups := id.Groups
	if a.Groups != GroupsOfToken {
		groups = groupsOf(u, a.Groups, id.Groups)
	}
	return id.with(userID, groups), nil
}

// with returns the identity with another row and other groups.
func (id *Identity) with(userID int64, groups []string) *Identity {
	if userID == id.UserID && slices.Equal(groups, id.Groups) {
		return id
	}
	other := *id
	other.UserID, other.Groups = userID, groups
	return &other
}

func groupsOf(u replica.User, source GroupSource, token []string) []string {
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

// withoutAccount ends a session whose person has no account any more.
func (a *Auth) withoutAccount(w http.ResponseWriter, r *http.Request, l *live, err error) {
	if a.shared != nil {
		a.shared.clear(w)
		a.audit(r.Context(), slog.LevelWarn, "request refused", slog.String("sub", l.identity.Subject), slog.String("reason", err.Error()))
		return
	}
	a.cookie.Clear(w)
	a.revokeBehind(r.Context(), l.identity.Subject, l.refreshToken())
	a.endSession(context.WithoutCancel(r.Context()), l, err.Error())
}
