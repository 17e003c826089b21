package serve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// known is a replica of a few people.
type known struct {
	replica.Store
	users []replica.User
	fault error
}

func (k known) UserByUsername(_ context.Context, issuer, username string) (replica.User, error) {
	return k.find(func(u replica.User) bool { return u.Issuer == issuer && u.Username == username && u.Deleted.IsZero() })
}

func (k known) Users(_ context.Context, q replica.UserQuery) (page replica.UserPage, err error) {
	for _, u := range k.users {
		if u.Issuer == q.Issuer && (q.Deleted || u.Deleted.IsZero()) && strings.HasPrefix(strings.ToLower(u.Username), strings.ToLower(q.Search)) {
			page.Users = append(page.Users, u)
		}
	}
	return page, k.fault
}

func (k known) UserBySubject(_ context.Context, issuer, subject string) (replica.User, error) {
	return k.find(func(u replica.User) bool { return u.Issuer == issuer && u.Subject == subject })
}

func (k known) find(f func(replica.User) bool) (replica.User, error) {
	if i := slices.IndexFunc(k.users, f); i >= 0 {
		return k.users[i], nil
	}
	return replica.User{}, cmp.Or(k.fault, replica.ErrNotFound)
}

// oldUsers is an old pool, and how often it was asked.
type oldUsers struct {
	users []types.UserType
	err   error
	asked int
}

func (o *oldUsers) ListUsers(_ context.Context, in *cip.ListUsersInput, _ ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	o.asked++
	out := new(cip.ListUsersOutput)
	for _, u := range o.users {
		if *in.Filter == fmt.Sprintf("username = %q", *u.Username) {
			out.Users = append(out.Users, u)
		}
	}
	return out, o.err
}

// TestS770_AProvidersPeopleAreLookedUp: somebody of a provider whom the replica does not
// know as a provider's is looked up at the old pool. Only its word makes them somebody new,
// and a native user of the old pool who has named themselves like them is not them.
func TestS770_AProvidersPeopleAreLookedUp(t *testing.T) { lookedUp(t, "") }

// TestS817_DeletedAtTheOldPool: whoever the old pool has deleted is not let in beside who they
// were, also where only tokens have told of them.
func TestS817_DeletedAtTheOldPool(t *testing.T) { lookedUp(t, "deleted") }

// lookedUp has people come whose names have a word.
func lookedUp(t *testing.T, word string) {
	const old, now = "https://old.example.com/local_Old000001", "https://new.example.com/local_New000001"
	tickets, err := move.NewTickets(bytes.Repeat([]byte{5}, move.KeySize), "local_Old000001", "local_New000001")
	if err != nil {
		t.Fatal(err)
	}
	tickets.Providers = []string{"Google"}
	user := func(username, sub string, status types.UserStatusType) types.UserType {
		name := "sub"
		return types.UserType{Username: &username, Enabled: true, UserStatus: status, Attributes: []types.AttributeType{{Name: &name, Value: &sub}}}
	}
	disabled := user("Google_17", "old-17", types.UserStatusTypeExternalProvider)
	disabled.Enabled = false
	off := replica.User{Issuer: old, Username: "Google_17", Subject: "old-17", Status: "EXTERNAL_PROVIDER"}
	deleted := off
	deleted.Deleted = time.Unix(1, 0)
	byTokens, native, other := deleted, deleted, deleted
	byTokens.Status, native.Status, other.Username = "", "CONFIRMED", "Google_177"
	there := []types.UserType{user("Google_17", "old-17", types.UserStatusTypeExternalProvider)}
	for name, tt := range map[string]struct {
		replica []replica.User
		fault   error
		pool    oldUsers
		subject string
		asked   int
		err     error
		text    string
	}{
		"the replica knows her":   {replica: []replica.User{{Issuer: old, Username: "Google_17", Subject: "old-17", Status: "EXTERNAL_PROVIDER", Enabled: true}}, subject: "old-17"},
		"the replica is late":     {pool: oldUsers{users: there}, subject: "old-17", asked: 1},
		"the replica is away":     {fault: replica.ErrUnavailable, err: replica.ErrUnavailable},
		"she is new":              {asked: 2}, // small letters, too
		"the old pool is away":    {pool: oldUsers{err: errors.New("away Google_17")}, asked: 1, err: codegrant.ErrUnavailable, text: "cognito-idp:ListUsers"},
		"the old pool is deleted": {pool: oldUsers{err: new(types.ResourceNotFoundException)}, asked: 2},
		"somebody has taken such a name at the old pool": {
			replica: []replica.User{{Issuer: old, Username: "Google_17", Subject: "mallory", Status: "CONFIRMED"}},
			pool:    oldUsers{users: []types.UserType{user("Google_17", "mallory", types.UserStatusTypeConfirmed)}}, asked: 2,
		},
		"the replica knows somebody of such a name by tokens alone": {
			replica: []replica.User{{Issuer: old, Username: "Google_17", Subject: "mallory"}},
			pool:    oldUsers{users: []types.UserType{user("Google_17", "mallory", types.UserStatusTypeConfirmed)}}, asked: 2,
		},
		"the replica knows her by tokens alone": {
			replica: []replica.User{{Issuer: old, Username: "Google_17", Subject: "old-17"}}, pool: oldUsers{users: there}, subject: "old-17", asked: 1,
		},
		"the replica knows her by tokens alone, and the old pool is away": {
			replica: []replica.User{{Issuer: old, Username: "Google_17", Subject: "old-17"}}, pool: oldUsers{err: errors.New("away")}, asked: 1, err: codegrant.ErrUnavailable,
		},
		"she has signed in before": {
			replica: []replica.User{{Issuer: now, Subject: "new-17", FirstSignIn: time.Unix(1, 0)}}, pool: oldUsers{err: errors.New("away")},
		},
		"the old pool has disabled her":                        {pool: oldUsers{users: []types.UserType{disabled}}, asked: 1, err: move.ErrDisabled},
		"the replica knows her as disabled":                    {replica: []replica.User{off}, pool: oldUsers{users: there}, err: move.ErrDisabled},
		"the replica knows her as deleted":                     {replica: []replica.User{deleted}, asked: 1, err: move.ErrDeleted},
		"the replica knows her as deleted, by tokens alone":    {replica: []replica.User{byTokens}, asked: 1, err: move.ErrDeleted},
		"she was deleted, and is at the old pool once more":    {replica: []replica.User{deleted}, pool: oldUsers{users: []types.UserType{user("Google_17", "old-17-2", types.UserStatusTypeExternalProvider)}}, subject: "old-17-2", asked: 1},
		"a user of the old pool who was called so was deleted": {replica: []replica.User{native}, asked: 2},
		"somebody whose name begins so was deleted":            {replica: []replica.User{other}, asked: 2},
		"she has come before, and was deleted at the old pool": {
			replica: []replica.User{deleted, {Issuer: now, Subject: "new-17", LinkedTo: 1}},
		},
		"she has come before, and is disabled at the old pool": {
			replica: []replica.User{off, {Issuer: now, Subject: "new-17", LinkedTo: 1}}, pool: oldUsers{users: []types.UserType{disabled}},
		},
		"a pass has seen her before": {replica: []replica.User{{Issuer: now, Subject: "new-17"}}, pool: oldUsers{users: there}, subject: "old-17", asked: 1},
	} {
		if !strings.Contains(name, word) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			users := known{users: tt.replica, fault: tt.fault}
			was := samePerson(&settings.Moved{Issuer: old, Tickets: tickets}, now, users, &tt.pool)
			claims := new(verify.Claims)
			claims.Issuer, claims.Subject, claims.Username = now, "new-17", "Google_17"
			claims.Identities = []verify.Identity{{ProviderName: "Google", UserID: "17"}}
			issuer, subject, err := was(t.Context(), claims)
			if subject != tt.subject || subject != "" && issuer != old || !errors.Is(err, tt.err) || tt.pool.asked != tt.asked {
				t.Errorf("%q %q, %v, and the old pool was asked %d times", issuer, subject, err, tt.pool.asked)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "Google_17")) {
				t.Errorf("the error says %v", err)
			}
		})
	}
}

// TestS784_MergedAtTheGateway: two accounts with one verified address are one person from
// the first sign-in of the second on, where that is configured and a pass over the pool has
// seen the first, and else two.
func TestS784_MergedAtTheGateway(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		text := "database: sqlite:people.db\nreplica: true\n" + oneUpstream
		if trusted {
			text = "    trusted_providers: [COGNITO]\n" + text
		}
		g := newGate(t, text)
		g.start()
		g.pool.AddUser("alice-too", "alice@example.com")
		row := func(name string) string {
			t.Helper()
			b := codegranttest.NewBrowser(t)
			if page := b.SignIn(g.url+"/", name, codegranttest.Password); page.Status != 200 {
				t.Fatalf("%s: %d %s", name, page.Status, page.Body)
			}
			if status, body := g.get(b.Client, "/"); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
			h := <-g.saw
			return h.Get("X-Auth-User-Id")
		}
		one := row("alice")
		g.pass()
		two := row("alice-too")
		if (one == two) != trusted || one == "" || row("bob") == one {
			t.Errorf("trusted %t: rows %s and %s", trusted, one, two)
		}
	}
}

// pass has the replica hear what the pool's directory says.
func (g *gate) pass() {
	g.t.Helper()
	o, err := parts.Inspection{Config: g.config}.Open()
	if err != nil {
		g.t.Fatal(err)
	}
	defer o.Close()
	api, id, err := parts.PoolClient(g.t.Context(), o.Issuer, "", slog.New(slog.DiscardHandler))
	if err != nil {
		g.t.Fatal(err)
	}
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: id, Client: api})
	if err != nil {
		g.t.Fatal(err)
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: o.Issuer, Replica: o.Users, Journal: directory.NewMemoryJournal()})
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := sync.Run(g.t.Context(), directory.Options{Full: true, Fresh: true}); err != nil {
		g.t.Fatal(err)
	}
}
