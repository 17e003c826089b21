//go:build unix

package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/localpool"
)

// undoing is a pool, and the commands beside a replica that keeps its history.
type undoing struct {
	*testing.T
	program, config, database string
	db                        *sql.DB
	api                       *cip.Client
	pool                      string // its id
}

// onEachEngine runs a story with a database of each kind of its own.
func onEachEngine(t *testing.T, story func(t *testing.T, database string)) {
	t.Run("SQLite", func(t *testing.T) { story(t, "sqlite:"+filepath.Join(t.TempDir(), "app.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { story(t, newDatabase(t)) })
}

// newUndoing has the commands know a client's pool, which answers at an address.
func newUndoing(t *testing.T, database, at string, client localpool.Client) *undoing {
	t.Helper()
	u := &undoing{T: t, program: buildCodegrant(t), config: filepath.Join(t.TempDir(), "codegrant.yaml"), database: database, pool: client.PoolID}
	u.api = cip.New(cip.Options{Region: "local", BaseEndpoint: &at, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	u.must(os.WriteFile(u.config, fmt.Appendf(nil, `
base_url: http://localhost
sessions: database
database: %q
replica: {history: 24h}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, database, client.PoolID, client.Issuer, at, client.ID, client.Secret), 0o600))
	driver, name := "pgx", database
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(20000)"
	}
	var err error
	u.db, err = sql.Open(driver, name)
	u.must(err)
	t.Cleanup(func() { u.db.Close() })
	u.run("migrate", "--database", database)
	return u
}

func (u *undoing) must(err error) {
	u.Helper()
	if err != nil {
		u.Fatal(err)
	}
}

// run runs a command that succeeds.
func (u *undoing) run(args ...string) string {
	u.Helper()
	out, err := exec.CommandContext(u.Context(), u.program, args...).CombinedOutput()
	if err != nil {
		u.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// refused runs a command that ends with an error, and returns what it says.
func (u *undoing) refused(args ...string) string {
	u.Helper()
	out, err := exec.CommandContext(u.Context(), u.program, args...).CombinedOutput()
	if err == nil {
		u.Fatalf("%q ends with 0:\n%s", args, out)
	}
	return string(out)
}

// persons are the people whom the replica has as present, by their usernames. One username
// that is two people is a fault.
func (u *undoing) persons() map[string]int64 {
	u.Helper()
	all := make(map[string]int64)
	rows, err := u.db.QueryContext(u.Context(), "SELECT username, COALESCE(linked_to, id) FROM codegrant_users WHERE deleted_at IS NULL")
	u.must(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var id int64
		u.must(rows.Scan(&name, &id))
		if other, ok := all[name]; ok && other != id {
			u.Errorf("%s is two people: %d and %d", name, id, other)
		}
		all[name] = id
	}
	u.must(rows.Err())
	return all
}

// people are those whom a pool has, by username, in words: all but their subjects.
func (u *undoing) people(pool string) map[string]string {
	u.Helper()
	all := make(map[string]string)
	for users := cip.NewListUsersPaginator(u.api, &cip.ListUsersInput{UserPoolId: &pool}); users.HasMorePages(); {
		page, err := users.NextPage(u.Context())
		u.must(err)
		for _, one := range page.Users {
			words := []string{fmt.Sprint(one.Enabled, " ", one.UserStatus)}
			for _, a := range one.Attributes {
				if aws.ToString(a.Name) != "sub" {
					words = append(words, aws.ToString(a.Name)+"="+aws.ToString(a.Value))
				}
			}
			groups, err := u.api.AdminListGroupsForUser(u.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &pool, Username: one.Username})
			u.must(err)
			for _, g := range groups.Groups {
				words = append(words, aws.ToString(g.GroupName)+": "+aws.ToString(g.Description))
			}
			slices.Sort(words)
			all[aws.ToString(one.Username)] = strings.Join(words, " ")
		}
	}
	return all
}
