//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// TestS837_MergedErasedAndBackedUp: the commands of the guides merge two accounts of a person,
// erase another person, and bring all of it from a backup into a database of the other engine.
func TestS837_MergedErasedAndBackedUp(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		pool := codegranttest.NewPool(t, nil)
		client := withoutAliases(t, pool.URL)
		u := newUndoing(t, database, pool.URL, client)
		other := "sqlite:" + filepath.Join(t.TempDir(), "other.db")
		if strings.HasPrefix(database, "sqlite:") {
			other = newDatabase(t)
		}
		testPeopleKept(u, newUndoing(t, other, pool.URL, client))
	})
}

// withoutAliases makes a pool in which two people can have one address.
func withoutAliases(t *testing.T, at string) localpool.Client {
	t.Helper()
	api := cip.New(cip.Options{Region: "local", BaseEndpoint: &at, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	pool, err := api.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	app, err := api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{UserPoolId: pool.UserPool.Id, ClientName: aws.String("web"), GenerateSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	return localpool.Client{PoolID: *pool.UserPool.Id, Issuer: at + "/" + *pool.UserPool.Id, ID: *app.UserPoolClient.ClientId, Secret: *app.UserPoolClient.ClientSecret}
}

func testPeopleKept(t, other *undoing) {
	for username, email := range map[string]string{"ann": "ann@example.com", "bert": "bert@example.com", "bert-too": "bert@example.com", "carl": "carl@example.com"} {
		_, err := t.api.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &t.pool, Username: &username, MessageAction: types.MessageActionTypeSuppress, UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: &email}, {Name: aws.String("email_verified"), Value: aws.String("true")}, {Name: aws.String("name"), Value: aws.String("Name of " + username)},
		}})
		t.must(err)
	}
	t.run("sync", "--config", t.config, "--full")
	before := t.persons()

	// Two accounts become one person.
	if said := t.refused("users", "duplicates", "--config", t.config); !strings.Contains(said, "bert") || strings.Contains(said, "carl") {
		t.Errorf("duplicates: %s", said)
	}
	merge := []string{"users", "merge", "--config", t.config, "--from", fmt.Sprint(before["bert-too"]), "--into", fmt.Sprint(before["bert"])}
	t.run(merge...)
	if now := t.persons(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("without --yes: %v, and was %v", now, before)
	}
	t.run(append(merge, "--yes")...)
	t.run("sync", "--config", t.config, "--full")
	merged := t.persons()
	if merged["bert-too"] != before["bert"] || merged["bert"] != before["bert"] || merged["ann"] != before["ann"] {
		t.Errorf("merged: %v, and was %v", merged, before)
	}

	// A backup, which is verified.
	folder := t.TempDir()
	key, file := filepath.Join(folder, "backup.key"), filepath.Join(folder, "people.backup")
	recipient := regexp.MustCompile(`age1[0-9a-z]+`).FindString(t.run("backup", "--new-key", key))
	t.run("backup", "--config", t.config, "--to", file, "--recipient", recipient)
	t.run("backup", "--verify", file, "--identity", key)
	if whole, err := os.ReadFile(file); err != nil || strings.Contains(string(whole), "example.com") {
		t.Errorf("the backup is readable, or not there: %v", err)
	}

	// An erasure: of the person, and of nobody else.
	t.refused("users", "erase", "carl@example.com", "--config", t.config) // the pool still has them
	if _, ok := t.persons()["carl"]; !ok {
		t.Error("erased without --yes")
	}
	t.run("users", "erase", "carl@example.com", "--config", t.config, "--at-pool", "--yes")
	if _, ok := t.people(t.pool)["carl"]; ok {
		t.Error("carl is still in the pool")
	}
	t.run("sync", "--config", t.config, "--full")
	erased := t.persons()
	if _, ok := erased["carl"]; ok || erased["ann"] != merged["ann"] || erased["bert-too"] != merged["bert"] {
		t.Errorf("after the erasure: %v", erased)
	}
	for _, table := range []string{"codegrant_users", "codegrant_history"} {
		rows, err := t.db.QueryContext(t.Context(), "SELECT * FROM "+table)
		t.must(err)
		columns, err := rows.Columns()
		t.must(err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			t.must(rows.Scan(values...))
			for i, v := range values {
				if said := fmt.Sprintf("%s", *v.(*any)); strings.Contains(strings.ToLower(said), "carl") {
					t.Errorf("%s.%s still has %s", table, columns[i], said)
				}
			}
		}
		t.must(rows.Err())
		t.must(rows.Close())
	}

	// The backup in a database of the other engine: everybody as they were then, and as the same
	// person. Somebody who was erased afterwards has to be erased again, as the guide says.
	from := []string{"restore", "--config", other.config, "--from", file, "--identity", key}
	other.run(from...)
	if now := other.persons(); len(now) != 0 {
		t.Errorf("restored without --yes: %v", now)
	}
	other.run(append(from, "--yes")...)
	if now := other.persons(); fmt.Sprint(now) != fmt.Sprint(merged) {
		t.Errorf("restored: %v, and was %v", now, merged)
	}
	other.run("users", "erase", "carl@example.com", "--config", other.config, "--at-pool", "--yes")
	other.run("sync", "--config", other.config, "--full")
	if now := other.persons(); fmt.Sprint(now) != fmt.Sprint(erased) {
		t.Errorf("in the end: %v, want %v", now, erased)
	}

	// One account of the two becomes a person of its own again.
	other.run("users", "unlink", fmt.Sprint(before["bert-too"]), "--config", other.config, "--yes")
	if now := other.persons(); now["bert"] != before["bert"] || now["bert-too"] == before["bert"] {
		t.Errorf("unlinked: %v", now)
	}
}
