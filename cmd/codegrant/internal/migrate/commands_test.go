package migrate

import (
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// commands are those that the tests speak to.
type commands struct {
	Migrate Command `cmd:""`
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return commandtest.Say(t, new(commands), args...)
}
