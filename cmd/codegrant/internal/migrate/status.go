package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// versioned are tables that have a version.
type versioned struct {
	name  string
	store interface {
		Versions(ctx context.Context) (have, want int64, err error)
	}
}

var errPending = errors.New("the tables need a migration: run codegrant migrate")

// look says which versions there are, and what would be done. The tables of passes have no
// versions: they are made where they are missing.
func (c Command) look(ctx context.Context, out *terminal.Streams, all []versioned) error {
	pending := false
	for _, v := range all {
		have, want, err := v.store.Versions(ctx)
		if err != nil {
			return err
		}
		switch {
		case have > want:
			fmt.Fprintf(out.Stdout, "%s: version %d, newer than version %d of this program: left unchanged\n", v.name, have, want)
		case have == want:
			fmt.Fprintf(out.Stdout, "%s: version %d, up to date\n", v.name, have)
		default:
			pending = true
			fmt.Fprintf(out.Stdout, "%s: version %d; a migration to version %d is pending\n", v.name, have, want)
		}
	}
	if pending && c.Status {
		return errPending
	}
	return nil
}
