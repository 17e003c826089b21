package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/restore"
)

// deaf is a pool to which a restore is killed as it makes a user.
type deaf struct{ restore.API }

func (d deaf) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	_, err := d.API.AdminCreateUser(ctx, in, o...)
	return nil, errors.Join(err, errors.New("killed"))
}

// TestS823_AHalfMadeUser: a restore is killed right after it has made a user, whom the replica
// has not linked. An erasure removes them with the person, also if a pass has seen them. It
// leaves a user alone who is somebody else, and says so.
func TestS823_AHalfMadeUser(t *testing.T) {
	for _, test := range []struct {
		name            string
		seen, different bool
	}{{name: "not seen"}, {name: "seen by a pass", seen: true}, {name: "somebody else", different: true}} {
		t.Run(test.name, func(t *testing.T) {
			pool := codegranttest.NewPool(t, nil)
			client := pool.Clients()[0]
			dir := t.TempDir()
			config := filepath.Join(dir, "codegrant.yaml")
			if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
replica: {history: 24h}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), pool.PoolID, client.Issuer, pool.URL, client.ID, client.Secret)), 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := parts.Inspection{Config: config}.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if err := errors.Join(o.Users.Migrate(t.Context()), o.InDatabase.Migrate(t.Context())); err != nil {
				t.Fatal(err)
			}
			api, err := awsapi.Way{Endpoint: pool.URL}.Cognito(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			source, err := directory.NewCognito(directory.CognitoConfig{PoolID: pool.PoolID, Client: api})
			if err != nil {
				t.Fatal(err)
			}
			sync, err := directory.New(directory.Config{Source: source, Issuer: client.Issuer, Replica: o.Users, Journal: directory.NewMemoryJournal()})
			if err != nil {
				t.Fatal(err)
			}
			pass := func() {
				t.Helper()
				if _, err := sync.Run(t.Context(), directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
					t.Fatal(err)
				}
			}
			pass()
			alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
			if err != nil {
				t.Fatal(err)
			}
			then := time.Now()
			if _, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &pool.PoolID, Username: aws.String("alice")}); err != nil {
				t.Fatal(err)
			}
			pass()
			r, err := restore.New(restore.Config{Client: deaf{api}, PoolID: pool.PoolID, Issuer: client.Issuer, Replica: o.Users, At: then, By: "me", User: alice.ID})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Run(t.Context(), func(restore.Step) error { return nil }); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the restore is not killed: %v", err)
			}
			if test.different {
				if _, err := api.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &pool.PoolID, Username: aws.String("alice"), UserAttributes: []types.AttributeType{
					{Name: aws.String("email"), Value: aws.String("another@example.com")}}}); err != nil {
					t.Fatal(err)
				}
			}
			if test.seen {
				pass()
			}
			stdout, stderr, status := say(t, "users", "erase", fmt.Sprint(alice.ID), "--at-pool", "--yes", "--config", config)
			if status != 0 || strings.Contains(stdout, "not deleted") != test.different {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			pass()
			_, err = api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &pool.PoolID, Username: aws.String("alice")})
			var missing *types.UserNotFoundException
			if errors.As(err, &missing) == test.different {
				t.Errorf("the pool: %v", err)
			}
			page, err := o.Users.Users(t.Context(), replica.UserQuery{Issuer: o.Issuer, Search: "alice", Deleted: true})
			if err != nil || (len(page.Users) == 0) == test.different {
				t.Errorf("the replica has %+v, %v", page.Users, err)
			}
		})
	}
}
