//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// slowRecovery is a local pool whose recoveries take time, as Cognito's do: while it counts,
// until changes were refused, and while it goes back, until the sync has asked some times.
type slowRecovery struct {
	*localpool.Server
	refused atomic.Int64 // changes of the test
	asked   atomic.Int64 // how often the sync was told that it goes back
	reads   atomic.Int64 // of users, by the sync, after it was told
	running atomic.Bool
}

func (s *slowRecovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	program := strings.Contains(r.Header.Get("Authorization"), "Credential=local/")
	switch operation {
	case "StartPointInTimeRecovery":
		for before, deadline := s.refused.Load(), time.Now().Add(20*time.Second); s.refused.Load() < before+5 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		s.running.Store(true)
	case "ListUsers":
		if program && s.running.Load() && s.asked.Load() > 0 {
			s.reads.Add(1)
		}
	}
	if !s.running.Load() || !strings.Contains(operation, "PointInTime") {
		s.Server.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.Server.ServeHTTP(answer, r)
	body := answer.Body.String()
	if strings.Contains(operation, "List") && s.asked.Add(1) >= 5 {
		s.running.Store(false)
	} else {
		body = strings.ReplaceAll(body, "RESTORE_COMPLETED", "RESTORING")
	}
	w.WriteHeader(answer.Code)
	io.WriteString(w, body)
}

// TestS649_RecoveredUnderLoad: a pool goes back to before a mistake while people sign in,
// others are changed, and the sync makes passes. Nobody who may sign in is refused, changes
// that the pool refuses are made afterwards, no pass reads the pool while it goes back, and
// in the end the replica has whom the pool has, as the same people.
func TestS649_RecoveredUnderLoad(t *testing.T) { onEachEngine(t, testRecoveredUnderLoad) }

func testRecoveredUnderLoad(base *testing.T, database string) {
	var behind atomic.Int64
	behind.Store(int64(2 * time.Hour))
	now := func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) }
	pool := new(slowRecovery)
	server := httptest.NewServer(pool)
	defer server.Close()
	own, err := localpool.New(localpool.Config{Seed: localpool.DefaultSeed("http://localhost"), BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler), Now: now})
	if err != nil {
		base.Fatal(err)
	}
	defer own.Close()
	pool.Server = own
	t := newUndoing(base, database, server.URL, pool.Clients()[0])
	options := t.api.Options()
	options.Retryer = aws.NopRetryer{} // refusals are counted
	must, id, api := t.must, t.pool, cip.New(options)
	create := func(name string) {
		t.Helper()
		must(pool.CreateUser(id, localpool.UserSeed{Username: name, Email: name + "@example.com", Password: "Passw0rd!"}))
	}
	for n := range 40 {
		create(fmt.Sprint("p", n))
	}
	app, err := api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &id, ClientName: aws.String("load"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	})
	must(err)
	t.run("sync", "--config", t.config, "--full")
	eventually := func(what string, f func() bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within a minute: %s", what)
			}
		}
	}
	who := t.persons()

	// The mistake.
	behind.Add(-int64(2 * time.Second))
	to := now().UTC().Truncate(time.Second)
	behind.Add(-int64(2 * time.Second))
	for n := range 10 {
		must(pool.DeleteUser(id, fmt.Sprint("p", n)))
	}
	for n := range 5 {
		create(fmt.Sprint("m", n))
	}
	behind.Store(0)

	passes := exec.CommandContext(t.Context(), t.program, "sync", "--config", t.config, "--every", "100ms", "--max-share", "1")
	var log strings.Builder
	passes.Stdout, passes.Stderr = &log, &log
	must(passes.Start())
	end := sync.OnceFunc(func() {
		_ = passes.Process.Signal(syscall.SIGTERM)
		_ = passes.Wait()
	})
	defer end()
	eventually("the sync has seen the mistake", func() bool {
		all := t.persons()
		return all["p0"] == 0 && all["m0"] != 0 && len(all) == len(who)-5
	})

	// The load.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var signIns, refusedSignIns atomic.Int64
	load.Go(func() {
		for ctx.Err() == nil {
			_, err := api.InitiateAuth(ctx, &cip.InitiateAuthInput{
				ClientId: app.UserPoolClient.ClientId, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": "p39", "PASSWORD": "Passw0rd!"},
			})
			if signIns.Add(1); err != nil && ctx.Err() == nil && refusedSignIns.Add(1) == 1 {
				t.Errorf("a sign-in is refused: %v", err)
			}
		}
	})
	var mu sync.Mutex // guards waited
	waited := make(map[string]string)
	for n := 20; n < 24; n++ {
		load.Go(func() {
			name := fmt.Sprint("p", n)
			for i := 0; ctx.Err() == nil; i++ {
				value := fmt.Sprint("n", i)
				had := false
				for ctx.Err() == nil {
					_, err := api.AdminUpdateUserAttributes(ctx, &cip.AdminUpdateUserAttributesInput{
						UserPoolId: &id, Username: &name, UserAttributes: []types.AttributeType{{Name: aws.String("nickname"), Value: &value}},
					})
					if err == nil {
						mu.Lock()
						if _, ok := waited[name]; had || ok {
							waited[name] = value
						}
						mu.Unlock()
						break
					}
					var coded interface{ ErrorCode() string }
					if ctx.Err() == nil && (!errors.As(err, &coded) || coded.ErrorCode() != "OperationNotEnabledException") {
						t.Errorf("a change of %s: %v", name, err)
						return
					}
					pool.refused.Add(1)
					had = true
					time.Sleep(5 * time.Millisecond)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}

	restored := t.run("restore", "--config", t.config, "--whole-pool", "--as-of", to.Format(time.RFC3339), "--yes")
	status := func() (settled bool) {
		out, _ := exec.CommandContext(t.Context(), t.program, "sync", "--config", t.config, "--status", "--json").Output() // it is 3 where people were withheld
		var told []struct{ Recovery *struct{ Settled bool } }
		if err := json.Unmarshal(out, &told); err != nil || len(told) != 1 {
			t.Fatalf("the status is %s: %v", out, err)
		}
		return told[0].Recovery != nil && told[0].Recovery.Settled
	}
	eventually("the full pass is done", status)
	eventually("all changes were made that had waited", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(waited) == 4
	})
	stop()
	load.Wait()
	if n := pool.reads.Load(); n != 0 || pool.asked.Load() < 5 {
		t.Errorf("the sync read users %d times while the pool went back, and was told %d times", n, pool.asked.Load())
	}
	for name, value := range waited {
		u, err := api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &id, Username: &name})
		must(err)
		found := ""
		for _, a := range u.UserAttributes {
			if aws.ToString(a.Name) == "nickname" {
				found = aws.ToString(a.Value)
			}
		}
		// One more may have been under way as the load ended.
		if found != value && found != next(value) {
			t.Errorf("%s has the nickname %q, and was told %q", name, found, value)
		}
	}
	end()
	if back := t.persons(); !maps.Equal(back, who) {
		t.Errorf("the replica has\n%v\nand had\n%v", back, who)
	}
	t.Logf("%d sign-ins, %d refused changes, %d questions while it went back\n%s", signIns.Load(), pool.refused.Load(), pool.asked.Load(), restored)
	if t.Failed() {
		t.Log(log.String())
	}
}

func next(value string) string {
	n := 0
	_, _ = fmt.Sscanf(value, "n%d", &n)
	return fmt.Sprint("n", n+1)
}
