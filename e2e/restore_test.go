//go:build unix

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestS647_RestoreKilled: a restore that is killed again and again, each time with a few
// people more in the pool, ends as one that nobody has killed: everybody once, as they were,
// as the same person here.
func TestS647_RestoreKilled(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		pool := codegranttest.NewPool(t, nil)
		testRestoreKilled(newUndoing(t, database, pool.URL, pool.Clients()[0]))
	})
}

func testRestoreKilled(t *undoing) {
	api, must := t.api, t.must
	for n := range 4 {
		_, err := api.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &t.pool, GroupName: aws.String(fmt.Sprint("g", n)), Description: aws.String(fmt.Sprint("of ", n))})
		must(err)
	}
	for n := range 60 {
		username, email := fmt.Sprint("p", n), fmt.Sprintf("p%d@example.com", n)
		_, err := api.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &t.pool, Username: &username, MessageAction: types.MessageActionTypeSuppress, UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: &email}, {Name: aws.String("email_verified"), Value: aws.String("true")}, {Name: aws.String("name"), Value: aws.String("P of " + username)},
		}})
		must(err)
		for g := range n % 4 {
			_, err := api.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &t.pool, Username: &username, GroupName: aws.String(fmt.Sprint("g", g))})
			must(err)
		}
		_, err = api.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &t.pool, Username: &username, Password: aws.String("Passw0rd!" + username), Permanent: true})
		must(err)
		if n%7 == 0 {
			_, err := api.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &t.pool, Username: &username})
			must(err)
		}
	}
	t.run("sync", "--config", t.config, "--full")
	want, who := t.people(t.pool), t.persons()
	then := time.Now().UTC().Format(time.RFC3339Nano)
	for username := range want {
		_, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &t.pool, Username: &username})
		must(err)
	}
	t.run("sync", "--config", t.config, "--full", "--max-share", "1")
	if left := t.persons(); len(left) != 0 {
		t.Fatalf("the replica has %v", left)
	}

	count := func(ctx context.Context) int {
		n := 0
		for users := cip.NewListUsersPaginator(api, &cip.ListUsersInput{UserPoolId: &t.pool}); users.HasMorePages(); {
			page, err := users.NextPage(ctx)
			if err != nil {
				return n
			}
			n += len(page.Users)
		}
		return n
	}
	restore := []string{"restore", "--config", t.config, "--everybody", "--as-of", then, "--yes", "--share", "10"}
	killed := 0
	for at := 1; at < len(want); at += 1 + rand.IntN(12) {
		command := exec.CommandContext(t.Context(), t.program, restore...)
		must(command.Start())
		ended := make(chan struct{})
		go func() {
			_ = command.Wait()
			close(ended)
		}()
		deadline := time.Now().Add(time.Minute)
		for running := true; running && count(t.Context()) < at; {
			select {
			case <-ended:
				running = false
			case <-time.After(time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatalf("the pool does not have %d people", at)
			}
		}
		if command.Process.Kill() == nil {
			killed++
		}
		<-ended
	}
	t.Logf("killed %d times, the last time with %d of %d people", killed, count(t.Context()), len(want))
	if killed < 3 {
		t.Errorf("it was killed %d times", killed)
	}
	t.run(restore...)
	got := t.people(t.pool)
	for username, words := range want {
		if got[username] != words {
			t.Errorf("%s is\n%s\nand was\n%s", username, got[username], words)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the pool has %d people, and had %d", len(got), len(want))
	}
	t.run("sync", "--config", t.config, "--full")
	if back := t.persons(); fmt.Sprint(back) != fmt.Sprint(who) {
		t.Errorf("they are\n%v\nand were\n%v", back, who)
	}
}
