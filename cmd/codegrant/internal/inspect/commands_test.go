package inspect

import (
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/migrate"
)

// commands are those that the tests speak to.
type commands struct {
	Users    Users           `cmd:""`
	Groups   Groups          `cmd:""`
	Sessions Sessions        `cmd:""`
	Grants   Grants          `cmd:""`
	Migrate  migrate.Command `cmd:""`
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return commandtest.Say(t, new(commands), args...)
}
