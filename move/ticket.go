package move

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	accounts "github.com/codegrant/codegrant/internal/linked"
	"github.com/codegrant/codegrant/verify"
)

// Attribute is the custom attribute of the new pool that tickets are kept in. App clients
// must not be able to write it.
const Attribute = "custom:codegrant_moved"

// KeySize is how many bytes the key of tickets has at least.
const KeySize = 32

// ErrTicket is the error for an attribute that is not a ticket of this move: somebody has
// written it, or the trigger has another key or other pools.
var ErrTicket = errors.New("the attribute " + Attribute + " is not a ticket of this move: the trigger has another key or other pools, or somebody has written it")

// ErrLeft is the error for somebody whom the new pool has had and deleted: a ticket does not
// bring them back.
var ErrLeft = errors.New("the new pool has had this person, and they were deleted there; codegrant move drain --bring-back brings them back")

// ErrDeleted is the error for somebody of a provider whom the old pool has deleted.
var ErrDeleted = errors.New("the old pool has deleted this person; erase their row in the replica if they may come as somebody new")

// ErrDisabled is the error for somebody whom the old pool has disabled: they do not come.
var ErrDisabled = errors.New("the old pool has disabled this person; enable them there, or delete them in both pools")

// Tickets say who somebody was in the old pool. A ticket is the old sub and a MAC over it
// and both pools (HMAC-SHA256). A person who can write the ticket of another into their own
// attribute can become that other person. Therefore no app client may write the attribute,
// and the replica refuses a second live identity of the new pool for a person. Make Tickets
// with [NewTickets]. They are safe for concurrent use.
type Tickets struct {
	// Providers are identity providers that have the same name and the same accounts in
	// both pools. Their people have no password and no ticket: they are known by the
	// account at the provider. Defaults to none. Set it before the first use.
	Providers []string

	// Left reports whether somebody has left: the new pool has had them, and deleted them.
	// was is their sub in the old pool, and is that in the new one, or "" before they have
	// one. Their password at the old pool does not bring them back, neither by the trigger
	// ([Arrival], if it can ask) nor at the application ([ErrLeft]). An operator can, with
	// [Move.Drain], which asks this, too. Package move/left has it. Defaults to nobody. Set it before the first use.
	Left func(ctx context.Context, was, is string) (bool, error)

	key      []byte
	old, new string
}

// NewTickets returns the tickets of a move between two pools, by their ids, such as
// eu-west-1_Ab12Cd34E. The key has 32 bytes or more.
func NewTickets(key []byte, oldPool, newPool string) (*Tickets, error) {
	switch {
	case len(key) < KeySize:
		return nil, fmt.Errorf("the key of the move has %d bytes; make one of %d: openssl rand -base64 32", len(key), KeySize)
	case !isPoolID(oldPool) || !isPoolID(newPool):
		return nil, fmt.Errorf("%q and %q: ids of pools are of the form eu-west-1_Ab12Cd34E", oldPool, newPool)
	case oldPool == newPool:
		return nil, fmt.Errorf("the old and the new pool are the same one, %s", oldPool)
	}
	return &Tickets{key: slices.Clone(key), old: oldPool, new: newPool}, nil
}

func isPoolID(id string) bool {
	i := strings.IndexByte(id, '_')
	return i > 0 && i < len(id)-1 && len(id) <= 55 && !strings.ContainsAny(id, " \t\r\n\x00/|")
}

// Issue returns the ticket of somebody of the old pool.
func (t *Tickets) Issue(subject string) string { return subject + "." + t.mac(arrives, subject) }

// issueAgain returns the ticket of somebody who has left, and whom an operator brings back.
func (t *Tickets) issueAgain(subject string) string { return subject + "." + t.mac(returns, subject) }

// The purposes of tickets have different MACs.
const (
	arrives = "codegrant move 1"
	returns = "codegrant move again 1"
)

// complete ends the ticket of somebody who is in all their groups.
const complete = ".complete"

// Open returns whose a ticket is, or [ErrTicket].
func (t *Tickets) Open(ticket string) (subject string, err error) {
	if subject, ok := t.open(arrives, ticket); ok {
		return subject, nil
	}
	if subject, ok := t.open(returns, ticket); ok {
		return subject, nil
	}
	return "", ErrTicket
}

// broughtBack reports whether a ticket is of somebody whom an operator has brought back.
func (t *Tickets) broughtBack(ticket string) bool {
	_, ok := t.open(returns, ticket)
	return ok
}

func (t *Tickets) open(purpose, ticket string) (subject string, ok bool) {
	ticket = strings.TrimSuffix(ticket, complete)
	i := strings.LastIndexByte(ticket, '.')
	if i < 1 || !hmac.Equal([]byte(ticket[i+1:]), []byte(t.mac(purpose, ticket[:i]))) {
		return "", false
	}
	return ticket[:i], true
}

func (t *Tickets) mac(purpose, subject string) string {
	h := hmac.New(sha256.New, t.key)
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s", purpose, t.old, t.new, subject)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// mayArrive returns [ErrLeft] for somebody who has left, unless an operator has brought them
// back.
func (t *Tickets) mayArrive(ctx context.Context, ticket, was, is string) error {
	if t.Left == nil || t.broughtBack(ticket) {
		return nil
	}
	left, err := t.Left(ctx, was, is)
	switch {
	case err != nil:
		return fmt.Errorf("ask who has left: %w", err)
	case left:
		return ErrLeft
	}
	return nil
}

// Find returns what finds people of Providers at the old pool, by username, as
// [Tickets.SamePerson] asks for them: "" for nobody, and for everybody when the pool is
// deleted. A user of the pool's own with such a name is nobody. The error for somebody who is
// disabled is [ErrDisabled]. Any other error says nothing about the person.
func (t *Tickets) Find(old interface {
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
}) func(ctx context.Context, username string) (subject string, err error) {
	return func(ctx context.Context, username string) (string, error) {
		// By the username alone: AdminGetUser takes aliases, which people choose.
		filter := `username = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(username) + `"`
		found, err := old.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &t.old, Filter: &filter, Limit: aws.Int32(1)})
		var gone *types.ResourceNotFoundException
		switch {
		case errors.As(err, &gone):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("ask the pool %s who somebody was: %s; does the service have cognito-idp:ListUsers on it?", t.old, kindOf(err))
		}
		for _, u := range found.Users {
			p := personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes)
			switch {
			case p.username != username || p.status != types.UserStatusTypeExternalProvider:
			case !p.enabled:
				return "", ErrDisabled
			default:
				return p.sub, nil
			}
		}
		return "", nil
	}
}

// SamePerson returns what codegrant.Config.SamePerson of the new pool is: it finds who
// somebody was by their ticket, or by their account at one of Providers. bySubject and
// byUsername say how people of the old pool are named; byUsername is asked for the people of
// Providers alone, and returns "" for nobody.
func (t *Tickets) SamePerson(oldIssuer string, byUsername func(ctx context.Context, issuer, username string) (subject string, err error)) func(
	context.Context, *verify.Claims) (issuer, subject string, err error) {
	return func(ctx context.Context, claims *verify.Claims) (string, string, error) {
		if raw, ok := claims.Custom[Attribute]; ok {
			var ticket string
			if err := json.Unmarshal(raw, &ticket); err != nil {
				return "", "", ErrTicket
			}
			if ticket != "" { // else an operator has emptied it
				subject, err := t.Open(ticket)
				if err == nil {
					err = t.mayArrive(ctx, ticket, subject, claims.Subject)
				}
				if err != nil {
					return "", "", err
				}
				return oldIssuer, subject, nil
			}
		}
		if byUsername == nil {
			return "", "", nil
		}
		for _, account := range claims.Identities {
			if !slices.Contains(t.Providers, account.ProviderName) {
				continue
			}
			// The pool names its federated people so, with the id of the account.
			usernames := accounts.Account{ProviderName: account.ProviderName, UserID: account.UserID}.Usernames()
			if !strings.EqualFold(claims.Username, usernames[0]) {
				continue // a local user to whom the account is linked
			}
			for _, spelt := range usernames {
				subject, err := byUsername(ctx, oldIssuer, spelt)
				if err != nil || subject != "" {
					return oldIssuer, subject, err
				}
			}
		}
		return "", "", nil
	}
}
