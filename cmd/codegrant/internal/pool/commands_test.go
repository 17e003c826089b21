package pool

import (
	"context"
	"io"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// commands are those that the tests speak to.
type commands struct {
	Pool Command `cmd:""`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return terminal.Run(ctx, args, stdout, stderr, new(commands))
}
