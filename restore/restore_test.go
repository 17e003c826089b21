package restore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// scene is a pool with people, and a replica that keeps its history of them.
type scene struct {
	client *cip.Client
	pool   string
	issuer string
	users  *sqlreplica.Store
	sync   *directory.Sync
}

func newScene(t *testing.T, dialect sqlreplica.Dialect, db *sql.DB) *scene {
	t.Helper()
	p := codegranttest.NewPool(t, nil)
	s := &scene{pool: p.PoolID, issuer: p.Clients()[0].Issuer}
	s.client = cip.New(cip.Options{Region: "local", BaseEndpoint: &p.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	t.Cleanup(func() { db.Close() })
	var err error
	if s.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: dialect, History: &sqlreplica.History{Keep: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	if err := s.users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newSceneOf(t, s, s.pool)
}

// newSceneOf is the scene with a pool beside that of another.
func newSceneOf(t *testing.T, beside *scene, pool string) *scene {
	t.Helper()
	s := *beside
	s.issuer = strings.TrimSuffix(s.issuer, s.pool) + pool
	s.pool = pool
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: s.pool, Client: s.client})
	if err != nil {
		t.Fatal(err)
	}
	if s.sync, err = directory.New(directory.Config{Source: source, Issuer: s.issuer, Replica: s.users, Journal: directory.NewMemoryJournal()}); err != nil {
		t.Fatal(err)
	}
	return &s
}

func (s *scene) pass(t *testing.T) {
	t.Helper()
	if _, err := s.sync.Run(t.Context(), directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
		t.Fatal(err)
	}
}

// people are those whom the pool has, by username, in words.
func (s *scene) people(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	out, err := s.client.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: &s.pool})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range out.Users {
		words := []string{fmt.Sprint(u.Enabled)}
		for _, a := range u.Attributes {
			if name := aws.ToString(a.Name); name != "sub" {
				words = append(words, name+"="+aws.ToString(a.Value))
			}
		}
		groups, err := s.client.AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &s.pool, Username: u.Username})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups.Groups {
			words = append(words, fmt.Sprintf("group %s (%s)", aws.ToString(g.GroupName), aws.ToString(g.Description)))
		}
		slices.Sort(words)
		all[aws.ToString(u.Username)] = strings.Join(words, " ")
	}
	return all
}

func (s *scene) restore(t *testing.T, config restore.Config) *restore.Restore {
	t.Helper()
	config.PoolID, config.Issuer, config.Replica, config.By = s.pool, s.issuer, s.users, "me"
	if config.Client == nil {
		config.Client = s.client
	}
	r, err := restore.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cut is a pool to whose n-th call nobody hears the answer, as where the process is killed.
type cut struct {
	restore.API
	left int
}

var errCut = errors.New("killed")

func (c *cut) down() error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

func (c *cut) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	out, err := c.API.AdminCreateUser(ctx, in, o...)
	return out, errors.Join(err, c.down())
}

func (c *cut) AdminSetUserPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput, o ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	out, err := c.API.AdminSetUserPassword(ctx, in, o...)
	return out, errors.Join(err, c.down())
}

func (c *cut) AdminDisableUser(ctx context.Context, in *cip.AdminDisableUserInput, o ...func(*cip.Options)) (*cip.AdminDisableUserOutput, error) {
	out, err := c.API.AdminDisableUser(ctx, in, o...)
	return out, errors.Join(err, c.down())
}

func (c *cut) AdminAddUserToGroup(ctx context.Context, in *cip.AdminAddUserToGroupInput, o ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	out, err := c.API.AdminAddUserToGroup(ctx, in, o...)
	return out, errors.Join(err, c.down())
}

// onEachEngine runs a test with a scene on each engine.
func onEachEngine(t *testing.T, f func(t *testing.T, s *scene)) {
	t.Run("SQLite", func(t *testing.T) { f(t, sqliteScene(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		db, err := sql.Open("pgx", testenv.PostgresSchema(t))
		if err != nil {
			t.Fatal(err)
		}
		f(t, newScene(t, sqlreplica.PostgreSQL, db))
	})
}

// TestS769_PoolEmptiedByMistake: whoever the pool has lost comes back as they were, as the
// same person here, at whatever step earlier runs were cut off; nobody else is touched.
func TestS769_PoolEmptiedByMistake(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *scene) {
		description, birthdate := "those who approve", "1970-01-01"
		_, err := s.client.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &s.pool, GroupName: aws.String("approvers"), Description: &description})
		for _, err := range []error{
			err,
			second(s.client.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.pool, GroupName: aws.String("approvers"), Username: aws.String("alice")})),
			second(s.client.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})),
			second(s.client.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &s.pool, Username: aws.String("alice"), UserAttributes: []types.AttributeType{{Name: aws.String("birthdate"), Value: &birthdate}}})),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.pass(t)
		want := s.people(t)
		if len(want) < 2 || !strings.Contains(want["alice"], "group approvers (those who approve)") || !strings.Contains(want["alice"], birthdate) {
			t.Fatal(want)
		}
		alice, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
		if err != nil {
			t.Fatal(err)
		}
		then := time.Now()
		for username := range want {
			if _, err := s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: &username}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.client.DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: &s.pool, GroupName: aws.String("approvers")}); err != nil {
			t.Fatal(err)
		}
		s.pass(t)

		planned := 0
		if err := s.restore(t, restore.Config{At: then}).Plan(t.Context(), func(step restore.Step) error {
			if step.Kind != restore.Make {
				t.Errorf("planned %+v", step)
			}
			planned++
			return nil
		}); err != nil || planned != len(want) || len(s.people(t)) != 0 {
			t.Fatalf("planned %d, %v; the pool has %v", planned, err, s.people(t))
		}
		runs := 0
		for after := 0; ; after++ { // one more call each time
			runs++
			r := s.restore(t, restore.Config{At: then, Client: &cut{s.client, after % 4}})
			err := r.Plan(t.Context(), func(step restore.Step) error {
				step, err := r.Do(t.Context(), step)
				if err == nil && step.Kind != restore.Make {
					return fmt.Errorf("%s: %s", step.Kind, step.Why)
				}
				return err
			})
			if err == nil {
				break
			}
			if !errors.Is(err, errCut) || runs > 100 {
				t.Fatal(runs, err)
			}
		}
		if runs < 3 {
			t.Errorf("%d runs: nothing was cut off", runs)
		}
		s.pass(t)
		got := s.people(t)
		for username, words := range want {
			if got[username] != words {
				t.Errorf("%s is\n%s\nand was\n%s", username, got[username], words)
			}
		}
		if len(got) != len(want) {
			t.Errorf("the pool has %v", got)
		}
		back, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
		if err != nil || back.ID == alice.ID || back.Person() != alice.ID || back.Subject == alice.Subject || !back.InGroup("approvers") {
			t.Errorf("alice is %+v, %v, and was %d", back, err, alice.ID)
		}
		r := s.restore(t, restore.Config{At: then})
		if err := r.Plan(t.Context(), func(step restore.Step) error { return fmt.Errorf("%+v", step) }); err != nil {
			t.Errorf("after it, there is to do: %v", err)
		}
	})
}

// TestS769_NobodyIsOverwritten: somebody else who has the username by now, and whoever the
// pool has and is otherwise, stay as they are.
func TestS769_NobodyIsOverwritten(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, sqlreplica.SQLite, db)
	s.pass(t)
	then := time.Now()
	name := "Somebody Else"
	for _, err := range []error{
		second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: aws.String("alice")})),
		second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: aws.String("alice"), UserAttributes: []types.AttributeType{{Name: aws.String("name"), Value: &name}}})),
		second(s.client.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &s.pool, Username: aws.String("bob"), UserAttributes: []types.AttributeType{{Name: aws.String("name"), Value: &name}}})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.pass(t)
	before := s.people(t)
	kinds := make(map[string]restore.Kind)
	r := s.restore(t, restore.Config{At: then})
	if err := r.Plan(t.Context(), func(step restore.Step) error {
		step, err := r.Do(t.Context(), step)
		kinds[step.Then.Username] = step.Kind
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if kinds["alice"] != restore.Taken || kinds["bob"] != restore.Differs || len(kinds) != 2 {
		t.Errorf("kinds %v", kinds)
	}
	if after := s.people(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the pool has\n%v\nand had\n%v", after, before)
	}
	early := s.restore(t, restore.Config{At: then.Add(-2 * time.Hour)})
	if err := early.Plan(t.Context(), func(step restore.Step) error { return fmt.Errorf("%+v", step) }); err != nil && !errors.Is(err, sqlreplica.ErrNoHistory) {
		t.Errorf("before the history: %v", err)
	}
	if err := s.restore(t, restore.Config{At: then, User: 999}).Plan(t.Context(), func(restore.Step) error { return nil }); !errors.Is(err, replica.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := restore.New(restore.Config{User: 1, Group: "a"}); err == nil || !strings.Contains(err.Error(), "Replica is missing") || !strings.Contains(err.Error(), "not both") {
		t.Errorf("no configuration: %v", err)
	}
}

// TestS769_NobodyBecomesSomebodyWhoIsLost: somebody has signed up with the name and all the
// attributes of a person whom the pool has lost.
func TestS769_NobodyBecomesSomebodyWhoIsLost(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, sqlreplica.SQLite, db)
	s.pass(t)
	then := time.Now()
	alice, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	was, err := s.client.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.pool, Username: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: aws.String("alice")}); err != nil {
		t.Fatal(err)
	}
	s.pass(t)
	var same []types.AttributeType
	for _, a := range was.UserAttributes {
		if aws.ToString(a.Name) != "sub" {
			same = append(same, a)
		}
	}
	for _, err := range []error{
		second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: aws.String("alice"), UserAttributes: same})),
		second(s.client.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &s.pool, Username: aws.String("alice"), Password: aws.String("Mallory-1!"), Permanent: true})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := s.people(t)
	taken := 0
	r := s.restore(t, restore.Config{At: then})
	if err := r.Plan(t.Context(), func(step restore.Step) error {
		step, err := r.Do(t.Context(), step)
		if step.Kind == restore.Taken {
			taken++
		}
		return err
	}); err != nil || taken != 1 {
		t.Errorf("%d taken, %v", taken, err)
	}
	if after := s.people(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the pool has\n%v\nand had\n%v", after, before)
	}
	if ids, err := s.users.Identities(t.Context(), alice.ID); err != nil || len(ids) != 1 {
		t.Errorf("identities of alice: %+v, %v", ids, err)
	}
}

func second[T any](_ T, err error) error { return err }
