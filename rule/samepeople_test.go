package rule_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/rule"
	"github.com/codegrant/codegrant/verify"
)

// addressed is a replica of people with one address.
type addressed struct {
	replica.Store
	users []replica.User
	err   error
}

func (a addressed) UsersByEmail(context.Context, string, string) ([]replica.User, error) {
	return a.users, a.err
}

// TestS784_SamePeople: a verified address makes two identities one person where both come
// from providers that are trusted to verify it, and nowhere else.
func TestS784_SamePeople(t *testing.T) {
	const issuer = "https://idp.example.com/local_Demo00001"
	groups := func(names ...string) (all []replica.Membership) {
		for _, name := range names {
			all = append(all, replica.Membership{Group: replica.Group{Name: name, Origin: replica.OriginProvider}, Pool: true})
		}
		return all
	}
	known := time.Unix(1, 0)
	alice := replica.User{ID: 4, Issuer: issuer, Subject: "alice", Email: "alice@example.com", EmailVerified: true, Enabled: true, Status: "CONFIRMED", GroupsAsOf: known}
	with := func(change func(*replica.User)) []replica.User {
		u := alice
		change(&u)
		return []replica.User{u}
	}
	google := func(change func(*verify.Claims)) *verify.Claims {
		c := new(verify.Claims)
		c.Issuer, c.Subject, c.Username, c.Email, c.EmailVerified = issuer, "google-17", "Google_17", "alice@example.com", true
		c.Identities = []verify.Identity{{ProviderName: "Google", UserID: "17"}}
		if change != nil {
			change(c)
		}
		return c
	}
	away := errors.New("away")
	for name, tt := range map[string]struct {
		claims *verify.Claims
		users  []replica.User
		err    error
		want   string
	}{
		"a user of the pool":              {users: []replica.User{alice}, want: "alice"},
		"known by tokens alone":           {users: with(func(u *replica.User) { u.Status = "" }), want: "alice"},
		"nobody":                          {},
		"herself":                         {users: with(func(u *replica.User) { u.Subject = "google-17" })},
		"the token's address is hers not": {claims: google(func(c *verify.Claims) { c.EmailVerified = false }), users: []replica.User{alice}},
		"no address":                      {claims: google(func(c *verify.Claims) { c.Email = "" }), users: with(func(u *replica.User) { u.Email = "" })},
		"hers is not verified":            {users: with(func(u *replica.User) { u.EmailVerified = false })},
		"disabled":                        {users: with(func(u *replica.User) { u.Enabled = false })},
		"deleted":                         {users: with(func(u *replica.User) { u.Deleted = known })},
		"another provider signs in":       {claims: google(func(c *verify.Claims) { c.Username, c.Identities[0].ProviderName = "Evil_17", "Evil" }), users: []replica.User{alice}},
		"a name like a provider's": {
			claims: google(func(c *verify.Claims) {
				c.Username, c.Identities = "Google_18", []verify.Identity{{ProviderName: "Evil", UserID: "17"}}
			}),
			users: []replica.User{alice},
		},
		"a user with another account linked": {
			claims: google(func(c *verify.Claims) {
				c.Username = "bob"
				c.Identities = append(c.Identities, verify.Identity{ProviderName: "Evil", UserID: "1"})
			}),
			users: []replica.User{alice},
		},
		"hers is of a trusted provider":  {users: with(func(u *replica.User) { u.Status, u.Groups = "EXTERNAL_PROVIDER", groups("local_Demo00001_Google") }), want: "alice"},
		"hers is of another provider":    {users: with(func(u *replica.User) { u.Status, u.Groups = "EXTERNAL_PROVIDER", groups("local_Demo00001_Evil") })},
		"of another one, by tokens":      {users: with(func(u *replica.User) { u.Status, u.Groups = "", groups("local_Demo00001_Evil") })},
		"of another one, by a directory": {users: with(func(u *replica.User) { u.Custom = map[string]string{"identities": `[{"providerName":"Evil"}]`} })},
		"of a provider that is not said": {users: with(func(u *replica.User) { u.Status = "EXTERNAL_PROVIDER" })},
		"nothing is known of hers":       {users: with(func(u *replica.User) { u.Status, u.GroupsAsOf = "", time.Time{} })},
		"two people":                     {users: append(with(func(u *replica.User) { u.ID, u.Subject = 5, "other" }), alice)},
		"two identities of one person":   {users: append([]replica.User{alice}, with(func(u *replica.User) { u.ID, u.LinkedTo, u.Subject = 5, 4, "other" })...), want: "alice"},
		"the replica is away":            {err: away},
	} {
		t.Run(name, func(t *testing.T) {
			claims := tt.claims
			if claims == nil {
				claims = google(nil)
			}
			is, subject, err := rule.SamePeople(addressed{users: tt.users, err: tt.err}, "Google", rule.OwnUsers)(t.Context(), claims)
			if subject != tt.want || (is == issuer) != (tt.want != "") || !errors.Is(err, tt.err) {
				t.Errorf("%q %q, %v", is, subject, err)
			}
		})
	}
	// Users of the pool are trusted where it says so.
	if _, subject, err := rule.SamePeople(addressed{users: []replica.User{alice}}, "Google")(t.Context(), google(nil)); err != nil || subject != "" {
		t.Errorf("%q, %v", subject, err)
	}
}
