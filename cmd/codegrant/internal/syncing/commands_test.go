package syncing

import (
	"context"
	"io"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/inspect"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/migrate"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// commands are those that the tests speak to.
type commands struct {
	Sync    Command         `cmd:""`
	Migrate migrate.Command `cmd:""`
	Users   inspect.Users   `cmd:""`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return terminal.Run(ctx, args, stdout, stderr, new(commands))
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return commandtest.Say(t, new(commands), args...)
}
