package restore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// mute is a pool that does not answer.
type mute struct{ restore.API }

func (mute) AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error) {
	return nil, errCut
}

// TestS820_APoolThatWasDeleted: a plan for a pool that does not exist fails, although the
// replica still has everybody; another pool takes them. A pool that does not answer may exist.
func TestS820_APoolThatWasDeleted(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, sqlreplica.SQLite, db)
	made, err := s.client.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	again, old := s, newSceneOf(t, s, aws.ToString(made.UserPool.Id))
	if _, err := old.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &old.pool, Username: aws.String("carol")}); err != nil {
		t.Fatal(err)
	}
	old.pass(t)
	then := time.Now()
	steps := func(c restore.Config, issuer string) (n int, err error) {
		c.At, c.Issuer, c.Replica, c.By = then, old.issuer, old.users, "me"
		if c.PoolID = old.pool; issuer != "" {
			c.PoolID, c.Into = again.pool, issuer
		}
		r, err := restore.New(c)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Plan(t.Context(), func(restore.Step) error { n++; return nil })
		return n, err
	}
	if n, err := steps(restore.Config{Client: old.client}, ""); n != 0 || err != nil {
		t.Fatalf("before: %d steps, %v", n, err)
	}
	if _, err := old.client.DeleteUserPool(t.Context(), &cip.DeleteUserPoolInput{UserPoolId: &old.pool}); err != nil {
		t.Fatal(err)
	}
	if _, err := steps(restore.Config{Client: old.client}, ""); !errors.Is(err, restore.ErrNoPool) {
		t.Errorf("a plan for a pool that was deleted: %v", err)
	}
	if _, err := steps(restore.Config{Client: mute{old.client}}, ""); errors.Is(err, restore.ErrNoPool) || !errors.Is(err, errCut) || !strings.Contains(err.Error(), old.pool) {
		t.Errorf("a plan for a pool that does not answer: %v", err)
	}
	if n, err := steps(restore.Config{Client: old.client}, again.issuer); n != 1 || err != nil {
		t.Errorf("into another pool: %d steps, %v", n, err)
	}
}
