package codegrant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// moody is an authenticator that says what it is told to.
type moody struct{ err error }

func (m *moody) Authenticate(*http.Request) (*codegrant.Identity, error) { return nil, m.err }
func (m *moody) Challenge(error) string                                  { return "" }

// TestS490_RecheckHasThreeAnswers: whoever looks after a request that lasts meets three
// errors and no other, whatever an authenticator or a request comes up with.
func TestS490_RecheckHasThreeAnswers(t *testing.T) {
	kinds := []error{codegrant.ErrInvalid, codegrant.ErrForbidden, codegrant.ErrUnavailable}
	for name, tt := range map[string]struct{ err, want error }{
		"nobody":                        {nil, codegrant.ErrSessionEnded},
		"a refusal in plain words":      {errors.New("no such badge"), codegrant.ErrInvalid},
		"a refusal":                     {fmt.Errorf("%w: no such badge", codegrant.ErrInvalid), codegrant.ErrInvalid},
		"an authenticator that forbids": {codegrant.ErrForbidden, codegrant.ErrForbidden},
		"no answer":                     {fmt.Errorf("%w: badges", codegrant.ErrUnavailable), codegrant.ErrUnavailable},
		"no answer in time":             {fmt.Errorf("badges: %w", context.DeadlineExceeded), codegrant.ErrUnavailable},
		"a replica that is away":        {fmt.Errorf("badges: %w", replica.ErrUnavailable), codegrant.ErrUnavailable},
		"both":                          {fmt.Errorf("%w: %w", codegrant.ErrInvalid, context.DeadlineExceeded), codegrant.ErrUnavailable},
	} {
		a := newApp(t, func(c *codegrant.Config) { c.Authenticators = []codegrant.Authenticator{&moody{tt.err}} })
		err := a.auth.Recheck(httptest.NewRequest("GET", a.url+"/reports/", nil))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if n := len(slices.DeleteFunc(slices.Clone(kinds), func(k error) bool { return !errors.Is(err, k) })); n != 1 {
			t.Errorf("%s: %v is %d of the three", name, err, n)
		}
	}

	a := newApp(t, nil)
	r := httptest.NewRequest("GET", a.url+"/reports/", nil)
	for range 17 {
		r.AddCookie(&http.Cookie{Name: "codegrant", Value: session.NewHandle().Encode()})
	}
	if err := a.auth.Recheck(r); !errors.Is(err, codegrant.ErrInvalid) || !errors.Is(err, session.ErrTooManyCookies) {
		t.Errorf("too many cookies: %v", err)
	}
}

// TestS282_TokensOutsideHTTPAreOfAccounts: a token that came by another way than HTTP is
// held against the replica as any other.
func TestS282_TokensOutsideHTTPAreOfAccounts(t *testing.T) {
	users := &book{user: &replica.User{ID: 1, Enabled: true, Groups: []replica.Membership{
		{Group: replica.Group{Name: "given", Origin: replica.OriginPool}, Local: true},
	}}}
	a := newApp(t, func(c *codegrant.Config) { c.Replica, c.Groups = users, codegrant.GroupsOfReplica })
	pool := a.Clients()[0]
	token, err := a.MintToken(a.PoolID, map[string]any{
		"iss": pool.Issuer, "sub": "s-1", "client_id": pool.ID, "token_use": "access", "scope": "openid", "username": "carol",
		"cognito:groups": []string{"analysts"}, "iat": a.now.Now().Unix(), "exp": a.now.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]func(context.Context, string) (*codegrant.Identity, error){"Bearer": a.auth.Bearer, "BearerOrMachine": a.auth.BearerOrMachine}
	for way, ask := range ways {
		if id, err := ask(t.Context(), token); err != nil || !slices.Equal(id.Groups, []string{"given"}) {
			t.Errorf("%s: %+v, %v; want the groups of the replica", way, id, err)
		}
	}
	users.change(func() { users.user.Enabled = false })
	a.now.Advance(31 * time.Second)
	for way, ask := range ways {
		if id, err := ask(t.Context(), token); id != nil || !errors.Is(err, codegrant.ErrInvalid) {
			t.Errorf("%s: of an account that is turned off: %+v, %v", way, id, err)
		}
	}
	users.change(func() { users.fault = replica.ErrUnavailable })
	a.now.Advance(31 * time.Second)
	for way, ask := range ways {
		if id, err := ask(t.Context(), token); id != nil || !errors.Is(err, codegrant.ErrUnavailable) {
			t.Errorf("%s: of a replica that is away: %+v, %v", way, id, err)
		}
	}
}
