package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/poolfile"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/move"
)

// TestS820_NoPool: each command that reads a pool says in one sentence that the pool was
// deleted, and ends with another status than 0. Of a pool that does not answer none says so.
func TestS820_NoPool(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	api := cip.New(cip.Options{Region: "local", BaseEndpoint: &pool.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	made, err := api.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	gone := aws.ToString(made.UserPool.Id)
	if _, err := api.DeleteUserPool(t.Context(), &cip.DeleteUserPoolInput{UserPoolId: &gone}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: &pool.PoolID, CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	database := "sqlite:" + filepath.Join(folder, "app.db")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	random := make([]byte, 32)
	rand.Read(random)
	key := write("key", base64.StdEncoding.EncodeToString(random)+"\n")
	config := func(name, at, id, moved string) string {
		client := pool.Clients()[0]
		return write(name, fmt.Sprintf("base_url: http://localhost\nsessions: database\nkeys_file: %s\ndatabase: %s\nreplica: {history: 24h}\npools:\n  - {name: shop, id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q%s}\n",
			key, database, id, at+"/"+id, at, client.ID, client.Secret, moved))
	}
	from := func(id string) string {
		return fmt.Sprintf(", moved_from: {id: %q, issuer: %q, client_id: abc, key_file: %q}", id, pool.URL+"/"+id, key)
	}
	deleted, old, now := config("deleted.yaml", pool.URL, gone, ""), config("old.yaml", pool.URL, pool.PoolID, from(gone)), config("new.yaml", pool.URL, gone, from(pool.PoolID))
	reminds := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return write("remind-"+filepath.Base(path), strings.Replace(string(text), "replica: {", "replica: {outbox: true, ", 1)+
			"webhooks: {crm: {url: \"http://127.0.0.1:9/\", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz, events: [moves]}}\n")
	}
	dead := "http://" + testenv.FreeAddress(t)
	silent := config("silent.yaml", dead, gone, "")
	if _, stderr, status := commandtest.Say(t, new(cli), "migrate", "--database", database); status != 0 {
		t.Fatal(stderr)
	}
	file := write("pool-config.yaml", "pool: {Name: shop}\n")
	someone := "5a1f0c6e-0000-4000-8000-000000000001"

	says := "the pool " + gone + " does not exist"
	run := func(t *testing.T, args []string) (string, string, int) {
		if args[0] == "pool" {
			return commandtest.Say(t, new(poolfile.Commands), args[1:]...)
		}
		return commandtest.Say(t, new(cli), args...)
	}
	for _, args := range [][]string{
		{"sync", "--config", deleted, "--full"},
		{"sync", "--config", deleted, "--dry-run"},
		{"sync", "--config", deleted, "--user", someone},
		{"restore", "--config", deleted, "--everybody", "--as-of", "1s"},
		{"restore", "--config", deleted, "--everybody", "--as-of", "1s", "--yes"},
		{"restore", "--config", deleted, "--group", "admins", "--as-of", "1s", "--json"},
		{"restore", "--config", deleted, "--lost-since", "1s", "--yes"},
		{"restore", "--config", deleted, "--whole-pool", "--as-of", "2h", "--yes"},
		{"move", "plan", "--config", old},
		{"move", "plan", "--config", now},
		{"move", "report", "--config", old},
		{"move", "groups", "--config", old, "--yes"},
		{"move", "drain", "--config", old, "--yes"},
		{"move", "drain", "--config", now, "--yes"},
		{"move", "remind", "--config", reminds(old), "--date", "2026-12-01"},
		{"move", "remind", "--config", reminds(now), "--date", "2026-12-01", "--yes"},
		{"move", "rehearse", "--config", old, "--file", filepath.Join(folder, "rehearsal.jsonl")},
		{"doctor", "--config", deleted},
		{"pool", "export", "--pool-id", gone, "--endpoint", pool.URL},
		{"pool", "export", "--pool-id", gone, "--endpoint", pool.URL, "--people", "anonymized", "--to", filepath.Join(folder, "seed.yaml")},
		{"pool", "export", "--pool-id", gone, "--endpoint", pool.URL, "--file", file, "--people", "anonymized", "--to", filepath.Join(folder, "seed.yaml")},
		{"pool", "diff", "--pool-id", gone, "--endpoint", pool.URL, "--file", file},
		{"pool", "diff", "--pool-id", pool.PoolID, "--endpoint", pool.URL, "--other", gone, "--other-endpoint", pool.URL},
		{"pool", "apply", "--pool-id", gone, "--endpoint", pool.URL, "--file", file, "--yes"},
	} {
		stdout, stderr, status := run(t, args)
		if all := stdout + stderr; status == 0 || strings.Count(all, "does not exist") != 1 || !strings.Contains(all, says) || !strings.Contains(all, "docs/restore.md") {
			t.Errorf("%q: status %d, it should say once that %s:\n%s%s", args, status, says, stdout, stderr)
		}
		if remedy := "add --into NAME"; args[0] == "restore" && !strings.Contains(stderr, remedy) {
			t.Errorf("%q does not say %q:\n%s", args, remedy, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "seed.yaml")); err == nil {
		t.Error("there is a copy of a pool that does not exist")
	}
	for _, args := range [][]string{
		{"restore", "--config", silent, "--everybody", "--as-of", "1s"},
		{"doctor", "--config", silent},
		{"pool", "export", "--pool-id", gone, "--endpoint", dead},
	} {
		stdout, stderr, status := run(t, args)
		if all := stdout + stderr; status == 0 || strings.Contains(all, "does not exist") || strings.Contains(all, "made again") {
			t.Errorf("%q of a pool that does not answer: status %d\n%s", args, status, all)
		}
	}
}
