package rule_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
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
	of := func(status, account, group string) func(*replica.User) {
		return func(u *replica.User) {
			u.Status = status
			if account != "" {
				u.Custom = map[string]string{"identities": `[{"userId":"17","providerName":"` + account + `"}]`}
			}
			if group != "" {
				u.Groups = groups("local_Demo00001_" + group)
			}
		}
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
		"known by tokens alone":           {users: with(func(u *replica.User) { u.Status = "" })},
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
		"hers is of a trusted provider":  {users: with(of("EXTERNAL_PROVIDER", "Google", "Google")), want: "alice"},
		"its group is hidden":            {users: with(of("EXTERNAL_PROVIDER", "Google", "")), want: "alice"},
		"hers is of another provider":    {users: with(of("EXTERNAL_PROVIDER", "Evil", "Evil"))},
		"whose group is hidden":          {users: with(of("EXTERNAL_PROVIDER", "Evil", ""))},
		"whose group is another's":       {users: with(of("EXTERNAL_PROVIDER", "Evil", "Google"))},
		"of another one, by its group":   {users: with(of("EXTERNAL_PROVIDER", "Google", "Evil"))},
		"a group is not an account":      {users: with(of("EXTERNAL_PROVIDER", "", "Google"))},
		"of another one, by tokens":      {users: with(of("", "", "Evil"))},
		"of a trusted one, by tokens":    {users: with(of("", "", "Google"))},
		"a trusted account is linked":    {users: with(of("CONFIRMED", "Google", "")), want: "alice"},
		"another account is linked":      {users: with(of("CONFIRMED", "Evil", ""))},
		"accounts that cannot be read":   {users: with(func(u *replica.User) { u.Custom = map[string]string{"identities": "Google"} })},
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

// TestS784_TokensAloneAreNotTrusted: a trigger of the pool can hide the group of a provider, and
// nobody who signed in first with an address by one that is not trusted gets the person who has it.
func TestS784_TokensAloneAreNotTrusted(t *testing.T) {
	const issuer = "https://idp.example.com/local_Demo00001"
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "people.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	folk := people.People{Replica: users, Was: rule.SamePeople(users, rule.OwnUsers, "Google")}
	at := time.Unix(1_800_000_000, 0)
	signIn := func(subject, username, address string, accounts ...string) int64 {
		t.Helper()
		c := new(verify.Claims)
		c.Issuer, c.Subject, c.Username, c.Email, c.EmailVerified = issuer, subject, username, address, true
		for _, provider := range accounts {
			c.Identities = append(c.Identities, verify.Identity{ProviderName: provider, UserID: "17"})
		}
		c.Groups, c.IssuedAt = []string{"editors"}, at // as a trigger overrides them
		row, _, err := folk.Tell(t.Context(), c, true, [32]byte{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	for name, tt := range map[string]struct {
		username string
		accounts []string
		status   string // by a pass of the directory between the sign-ins; empty: none
		one      bool
	}{
		"of another provider":         {username: "Evil_17", accounts: []string{"Evil"}},
		"a user, with a linked one":   {username: "mallory", accounts: []string{"Evil"}},
		"of another, after a pass":    {username: "Evil_17", accounts: []string{"Evil"}, status: "EXTERNAL_PROVIDER"},
		"linked, after a pass":        {username: "mallory", accounts: []string{"Evil"}, status: "CONFIRMED"},
		"a user, after a pass":        {username: "alice", status: "CONFIRMED", one: true},
		"of a trusted, after a pass":  {username: "Google_18", accounts: []string{"Google"}, status: "EXTERNAL_PROVIDER", one: true},
		"nothing but a token is told": {username: "alice"},
	} {
		address := strings.NewReplacer(" ", "-", ",", "").Replace(name) + "@example.com"
		first := signIn("first "+name, tt.username, address, tt.accounts...)
		if tt.status != "" {
			said := replica.Snapshot{Issuer: issuer, Subject: "first " + name, Username: tt.username, Email: address, EmailVerified: true, Complete: true, Status: tt.status, At: at.Add(time.Minute)}
			if len(tt.accounts) > 0 {
				said.Custom = map[string]string{"identities": `[{"userId":"17","providerName":"` + tt.accounts[0] + `"}]`}
			}
			if _, err := users.Apply(t.Context(), said); err != nil {
				t.Fatal(err)
			}
		}
		if second := signIn("second "+name, "Google_17", address, "Google"); (first == second) != tt.one {
			t.Errorf("%s: rows %d and %d", name, first, second)
		}
	}
}
