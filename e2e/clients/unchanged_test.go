package clients

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// amazon is a pool that stands in for Amazon's hosts, and the environment that brings
// programs to it.
func amazon(t *testing.T) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed, err := localpool.ParseSeed([]byte(seedYAML))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: "http://" + l.Addr().String(), AsAWS: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := standin.OpenAuthority(filepath.Join(t.TempDir(), "aws"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := standin.New(standin.Config{Pool: pool, Authority: authority, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = pool.Close()
	})
	environment, err := authority.Environment(l.Addr().String(), false)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{"region": region, "pool": poolID})
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "SETTINGS="+string(settings), "POOL="+poolID)
	for _, v := range environment.Variables(nil, region) {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

func unchanged(t *testing.T, env []string, folder, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = folder, env
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// TestUnchanged runs programs that know Amazon's names alone, and are told of no other.
// CODEGRANT_TEST_CLIENTS=all brings AWS's command line and five Python packages too,
// which take minutes to install.
func TestUnchanged(t *testing.T) {
	t.Run("AWS SDK for JavaScript", func(t *testing.T) {
		node, folder := javaScript(t)
		unchanged(t, amazon(t), folder, node, "unchanged.mjs")
	})
	t.Run("Python", func(t *testing.T) {
		if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
			t.Log("only with CODEGRANT_TEST_CLIENTS=all")
			return
		}
		bin := testenv.Python(t, "awscli==1.46.3", "boto3==1.44.3", "cognitojwt==1.4.1", "chalice==1.34.0", "chalice-cognito-auth==2.5.1.post3", "flask-cognito-lib==1.9.7",
			"aws-cognito-validation==0.1.0", "django-cognito-jwt2==0.2.0")
		env := amazon(t)
		if out := unchanged(t, env, ".", filepath.Join(bin, "python"), "unchanged.py"); strings.Count(out, " verifies\n") != 5 {
			t.Errorf("packages: %s", out)
		}
		if out := unchanged(t, env, t.TempDir(), filepath.Join(bin, "aws"), "cognito-idp", "list-users", "--user-pool-id", poolID, "--query", "Users[].Username", "--output", "text"); !strings.Contains(out, "alice") {
			t.Errorf("aws cognito-idp list-users: %s", out)
		}
	})
}
