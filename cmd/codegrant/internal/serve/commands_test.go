package serve

import (
	"context"
	"io"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/inspect"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// commands are those that the tests speak to.
type commands struct {
	Serve          Command                `cmd:""`
	Sessions       inspect.Sessions       `cmd:""`
	Grants         inspect.Grants         `cmd:""`
	UpstreamTokens inspect.UpstreamTokens `cmd:""`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return terminal.Run(ctx, args, stdout, stderr, new(commands))
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return commandtest.Say(t, new(commands), args...)
}

// TestMain lets tests run the program as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"codegrant": func() { terminal.Main(new(commands)) }})
}
