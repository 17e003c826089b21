//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

// keptPool is codegrant pool with a state file, as a process of its own.
type keptPool struct {
	*testing.T
	address, file string
	process       *exec.Cmd
	ended         chan struct{} // closed when the process has ended
}

func (k *keptPool) start() {
	k.Helper()
	k.process = exec.CommandContext(k.Context(), "codegrant", "pool", "-q", "--listen", k.address, "--state", k.file)
	k.process.Stderr = k.Output()
	if err := k.process.Start(); err != nil {
		k.Fatal(err)
	}
	process, ended := k.process, make(chan struct{})
	k.ended = ended
	go func() {
		_ = process.Wait() // tests kill it
		close(ended)
	}()
	k.Cleanup(func() { <-ended }) // the context has ended before
	late := time.After(time.Minute)
	for {
		status, _, err := k.ask("ListUserPools", `{"MaxResults":1}`)
		if err == nil && status == http.StatusOK {
			return
		}
		select {
		case <-ended:
			k.Fatalf("the pool has ended: %v", process.ProcessState)
		case <-late:
			k.Fatalf("the pool does not answer: %d, %v", status, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the process at once, wherever it is (SIGKILL).
func (k *keptPool) kill() {
	k.Helper()
	if err := k.process.Process.Signal(syscall.SIGKILL); err != nil {
		k.Error(err)
	}
	<-k.ended
}

// ask calls an operation of the JSON API.
func (k *keptPool) ask(operation, body string) (status int, answer map[string]any, err error) {
	r, err := http.NewRequestWithContext(k.Context(), http.MethodPost, "http://"+k.address+"/", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/local/cognito-idp/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		return 0, nil, err
	}
	return got.StatusCode, answer, json.Unmarshal(b, &answer)
}

const demoPool = `"UserPoolId":"` + localpool.DemoPoolID + `"`

func (k *keptPool) create(name string) (int, map[string]any, error) {
	return k.ask("AdminCreateUser", `{`+demoPool+`,"Username":"`+name+`","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"`+name+`@example.com"}]}`)
}

// whole looks whether everybody is there, each with all that they were given, and nobody else
// but those of the demo.
func (k *keptPool) whole(who map[string]bool, others func(name string) bool) {
	k.Helper()
	found := make(map[string]bool)
	for next := ""; ; {
		status, page, err := k.ask("ListUsers", `{`+demoPool+next+`}`)
		if err != nil || status != http.StatusOK {
			k.Fatalf("ListUsers: %d, %v, %v", status, page, err)
		}
		users, _ := page["Users"].([]any)
		for _, u := range users {
			user, _ := u.(map[string]any)
			name, _ := user["Username"].(string)
			found[name] = true
			if b, _ := json.Marshal(user["Attributes"]); !bytes.Contains(b, []byte(`"`+name+`@example.com"`)) || !bytes.Contains(b, []byte(`"sub"`)) {
				k.Errorf("%s is not whole: %s", name, b)
			}
			if !who[name] && !others(name) && name != "alice" && name != "bob" {
				k.Errorf("nobody made %s", name)
			}
		}
		token, ok := page["PaginationToken"].(string)
		if !ok {
			break
		}
		next = `,"PaginationToken":"` + token + `"`
	}
	for name := range who {
		if !found[name] {
			k.Errorf("%s was answered with 200, and is gone", name)
		}
	}
}

// TestS828_KilledAmidRequests: a pool that is killed while it writes has afterwards all that
// it has answered with 200, and nothing in half.
func TestS828_KilledAmidRequests(t *testing.T) {
	k := &keptPool{T: t, address: testenv.FreeAddress(t), file: filepath.Join(t.TempDir(), "state.json")}
	var mu sync.Mutex
	kept, asked := make(map[string]bool), make(map[string]bool)
	refresh := ""
	for round := range 3 {
		k.start()
		k.whole(kept, func(name string) bool { return asked[name] })
		if refresh != "" {
			if status, answer, err := k.ask("InitiateAuth", `{"ClientId":"`+localpool.DemoPublicID+`","AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":"`+refresh+`"}}`); err != nil || status != http.StatusOK {
				t.Errorf("the refresh token of before: %d, %v, %v", status, answer, err)
			}
		}
		if status, answer, err := k.ask("UpdateUserPoolClient", `{`+demoPool+`,"ClientId":"`+localpool.DemoPublicID+`","ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]}`); err != nil || status != http.StatusOK {
			t.Fatalf("UpdateUserPoolClient: %d, %v, %v", status, answer, err)
		}
		status, answer, err := k.ask("InitiateAuth", `{"ClientId":"`+localpool.DemoPublicID+`","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"alice","PASSWORD":"Passw0rd!"}}`)
		result, _ := answer["AuthenticationResult"].(map[string]any)
		if refresh, _ = result["RefreshToken"].(string); err != nil || status != http.StatusOK || refresh == "" {
			t.Fatalf("sign in: %d, %v, %v", status, answer, err)
		}
		var done atomic.Int32
		var askers sync.WaitGroup
		enough := make(chan struct{})
		for asker := range 4 {
			askers.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprintf("user-%d-%d-%d", round, asker, i)
					mu.Lock()
					asked[name] = true
					mu.Unlock()
					status, answer, err := k.create(name)
					if err != nil {
						return // it was killed
					}
					if status != http.StatusOK {
						t.Errorf("%s: %d, %v", name, status, answer)
						return
					}
					mu.Lock()
					kept[name] = true
					mu.Unlock()
					if done.Add(1) == 20 {
						close(enough)
					}
				}
			})
		}
		select {
		case <-enough:
		case <-time.After(time.Minute):
			t.Errorf("the pool has made %d users in a minute", done.Load())
		}
		k.kill()
		askers.Wait()
	}
	k.start()
	defer k.kill()
	k.whole(kept, func(name string) bool { return asked[name] })
}

// smallDisk is a folder that holds little, what fills it, and what makes room again. Where no
// disk may be mounted, it is a folder that nothing more can be written to. fill says whether
// it worked.
func smallDisk(t *testing.T) (dir string, fill func() bool, free func()) {
	dir = t.TempDir()
	if output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no disk of our own (%s)", bytes.TrimSpace(output))
		mode := func(mode os.FileMode) {
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { mode(0o700) })
		return dir, func() bool {
			mode(0o500)
			return os.WriteFile(filepath.Join(dir, "one more"), nil, 0o600) != nil
		}, func() { mode(0o700) }
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, output)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	return dir, func() bool {
			file, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			for size := 1 << 16; size > 0; {
				if _, err := file.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, syscall.ENOSPC) {
					size /= 2
				} else if err != nil {
					t.Fatal(err)
				}
			}
			return true
		}, func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		}
}

// TestS828_FullDisk: while the disk is full, changes are answered as by a service that fails,
// and are not made. Reads go on. When there is room again, everything does.
func TestS828_FullDisk(t *testing.T) {
	dir, fill, free := smallDisk(t)
	k := &keptPool{T: t, address: testenv.FreeAddress(t), file: filepath.Join(dir, "state.json")}
	k.start()
	kept := make(map[string]bool)
	nobody := func(string) bool { return false }
	create := func(name string, want int) {
		t.Helper()
		status, answer, err := k.create(name)
		if err != nil || status != want || want != http.StatusOK && answer["__type"] != "InternalErrorException" {
			t.Errorf("%s: %d, %v, %v, want %d", name, status, answer, err, want)
		}
		if status == http.StatusOK {
			kept[name] = true
		}
	}
	create("before", http.StatusOK)
	if !fill() {
		t.Log("who runs this test writes everywhere and mounts nothing: package state tests what is left")
		k.kill()
		return
	}
	for i := range 5 {
		create(fmt.Sprintf("full-%d", i), http.StatusInternalServerError)
	}
	k.whole(kept, nobody)
	if entries, err := filepath.Glob(filepath.Join(dir, "*state.json*")); err != nil || len(entries) != 1 {
		t.Errorf("beside the file: %v, %v", entries, err)
	}
	free()
	create("full-0", http.StatusOK) // again: it was not made
	create("after", http.StatusOK)
	k.kill()
	k.start()
	defer k.kill()
	k.whole(kept, nobody)
}
