package restoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// read is a backup as programs are told of it.
type read struct {
	*backup.Summary
	Held map[string]int64 `json:"held_before"` // by the database
	Done bool             `json:"done"`
}

// fromFile reads a backup into the database.
func (c Command) fromFile(ctx context.Context, out *terminal.Streams) error {
	identities, err := parts.Identities(c.Identity)
	if err != nil {
		return err
	}
	config, done, err := parts.ForBackup(ctx, c.Config)
	if err != nil {
		return err
	}
	defer done()
	open := func() (io.ReadCloser, error) { return os.Open(c.From) }
	held, err := backup.Holds(ctx, config)
	if err != nil {
		return err
	}
	var s *backup.Summary
	if c.Yes {
		s, err = backup.Restore(ctx, config, open, backup.Options{Identities: identities, Overwrite: c.Overwrite})
	} else {
		s, err = look(open, identities...)
	}
	switch {
	case errors.Is(err, backup.ErrNotEmpty):
		return fmt.Errorf("%w; with --overwrite, those of the backup become as they were then, and others stay", err)
	case errors.Is(err, backup.ErrNewer):
		return fmt.Errorf("%w; upgrade codegrant, and run codegrant migrate", err)
	case err != nil:
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, read{s, held, c.Yes})
	}
	var rows [][]string
	for _, name := range backup.Sections() {
		rows = append(rows, []string{name, fmt.Sprint(s.Rows[name]), fmt.Sprint(held[name])})
	}
	_ = terminal.Table(out.Stdout, "ROWS\tBACKUP\tDATABASE BEFORE", rows)
	fmt.Fprintf(out.Stdout, "\nThe backup is whole. It was made at %s, of %s.\n", s.Made.Format(time.RFC3339), s.From)
	switch {
	case c.Yes:
		fmt.Fprintln(out.Stdout, "It is in the database. Run codegrant sync --full, so that the database knows what the pool says now.")
	case held["people"] > 0 && !c.Overwrite:
		fmt.Fprintln(out.Stdout, "Nothing is done yet. The database has people: add --overwrite --yes, and those of the backup become as they were then.")
	default:
		fmt.Fprintln(out.Stdout, "Nothing is done yet: add --yes.")
	}
	return nil
}

func look(open func() (io.ReadCloser, error), identities ...age.Identity) (*backup.Summary, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return backup.Verify(f, identities...)
}
