//go:build unix

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/poolfile"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// full is a file on a disk that has room for some bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// TestS804_TheDiskIsFull: where the disk is full while a backup or a copy of a pool is
// written, the command fails, and leaves neither the file nor a part of it.
func TestS804_TheDiskIsFull(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	api := cip.New(cip.Options{Region: "local", BaseEndpoint: &pool.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	for n := range 100 {
		text := "" // that nothing makes shorter
		for range 40 {
			text += rand.Text()
		}
		if _, err := api.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &pool.PoolID, Username: aws.String(fmt.Sprint("p", n)), UserAttributes: []types.AttributeType{
			{Name: aws.String("name"), Value: aws.String(text)},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	database, client := "sqlite:"+filepath.Join(folder, "app.db"), pool.Clients()[0]
	config := filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "base_url: http://localhost\ndatabase: %s\nreplica: {history: 24h}\npools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]\n",
		database, client.PoolID, client.Issuer, pool.URL, client.ID, client.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	say := func(commands any, args ...string) (string, int) {
		stdout, stderr, status := commandtest.Say(t, commands, args...)
		return stdout + stderr, status
	}
	key := filepath.Join(folder, "backup.key")
	recipient, _ := say(new(cli), "backup", "--new-key", key)
	recipient, _, _ = strings.Cut(recipient, "\n")
	for _, args := range [][]string{{"migrate", "--database", database}, {"sync", "--config", config, "--full"}} {
		if out, status := say(new(cli), args...); status != 0 {
			t.Fatal(out)
		}
	}

	// To a stream: the program behind it is told by the status.
	for _, args := range [][]string{
		{"backup", "--config", config, "--to", "-", "--recipient", recipient},
		{"export", "--pool-id", pool.PoolID, "--endpoint", pool.URL},
	} {
		commands := any(new(cli))
		if args[0] == "export" {
			commands = new(poolfile.Commands)
		}
		if status := terminal.Run(t.Context(), args, &full{1000}, io.Discard, commands); status == 0 {
			t.Errorf("%q ends with 0, and nobody has what it wrote", args)
		}
	}

	small := filepath.Join(folder, "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Mount(t, "16k", small)
	writes := func() map[string]func() (string, int) {
		return map[string]func() (string, int){
			"people.backup": func() (string, int) {
				return say(new(cli), "backup", "--config", config, "--to", filepath.Join(small, "people.backup"), "--recipient", recipient)
			},
			"shop.yaml": func() (string, int) {
				return say(new(poolfile.Commands), "export", "--pool-id", pool.PoolID, "--endpoint", pool.URL, "--people", "anonymized", "--to", filepath.Join(small, "shop.yaml"))
			},
		}
	}
	for name, write := range writes() {
		out, status := write()
		if status == 0 || !strings.Contains(out, syscall.ENOSPC.Error()) {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
		left, err := os.ReadDir(small)
		if err != nil || len(left) != 0 {
			t.Errorf("%s: there is %v, %v", name, left, err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,size=8m", small).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, write := range writes() {
		if out, status := write(); status != 0 {
			t.Errorf("%s, with room: status %d\n%s", name, status, out)
		}
		if _, err := os.Stat(filepath.Join(small, name)); errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is not there", name)
		}
	}
	if out, status := say(new(cli), "backup", "--verify", filepath.Join(small, "people.backup"), "--identity", key); status != 0 {
		t.Error(out)
	}
}
