package backups

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// Command is codegrant backup.
type Command struct {
	Config     string   `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file that names the database. Defaults to codegrant.yaml."`
	To         string   `env:"-" placeholder:"FILE" help:"Write the backup to this file, which must not exist; - is the standard output."`
	Recipient  []string `placeholder:"AGE1…" help:"Encrypt to this public key of age. Repeat it for several keys: each of them opens the file."`
	Recipients []string `type:"path" placeholder:"FILE" help:"Encrypt to the public keys in this file, one a line."`
	Verify     string   `env:"-" type:"path" placeholder:"FILE" help:"Read the whole of this backup, and say what it has. Needs --identity, and no database."`
	Identity   []string `type:"path" placeholder:"FILE" help:"File with the secret key that opens the backup."`
	NewKey     string   `env:"-" type:"path" placeholder:"FILE" help:"Make a secret key in this file, and print its public key."`
	JSON       bool     `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant backup --help.
func (Command) Help() string {
	return `Writes the people, groups, memberships, history, identities, erasure receipts and
organizations of the database to one file, encrypted with age. The file is one moment of
the database; the gateway can run meanwhile. Codegrant restore --from reads it, into a
database of any engine.

Sessions, consents, tokens, invitations and messages that wait are not in it. Passwords
are not in it: a pool gives them to nobody.

Examples:
  codegrant backup --new-key backup.key          prints the public key
  codegrant backup --to people.backup --recipient age1…
  codegrant backup --to - --recipients keys.txt | aws s3 cp - s3://bucket/people.backup
  codegrant backup --verify people.backup --identity backup.key
  codegrant restore --from people.backup --identity backup.key`
}

// Validate is called with the flags.
func (c Command) Validate() error {
	n := 0
	for _, said := range []bool{c.To != "", c.Verify != "", c.NewKey != ""} {
		if said {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("say what to do: --to, --verify or --new-key")
	case c.To != "" && len(c.Recipient)+len(c.Recipients) == 0:
		return errors.New("say who can read the backup: --recipient or --recipients; codegrant backup --new-key FILE makes a key")
	case c.Verify != "" && len(c.Identity) == 0:
		return errors.New("name the secret key with --identity")
	}
	return nil
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	switch {
	case c.NewKey != "":
		return c.newKey(out)
	case c.Verify != "":
		return c.verify(out)
	}
	return c.write(ctx, out)
}

func (c Command) newKey(out *terminal.Streams) error {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	content := fmt.Sprintf("# public key: %s\n%s\n", key.Recipient(), key)
	f, err := os.OpenFile(c.NewKey, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	fmt.Fprintln(out.Stdout, key.Recipient())
	fmt.Fprintf(out.Stderr, "The secret key is in %s. Without it nobody can read the backups: keep it away from them, and more than once.\n", c.NewKey)
	return nil
}

func (c Command) verify(out *terminal.Streams) error {
	identities, err := parts.Identities(c.Identity)
	if err != nil {
		return err
	}
	f, err := os.Open(c.Verify)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := backup.Verify(f, identities...)
	if err != nil {
		return err
	}
	return c.tell(out.Stdout, s, "The backup is whole.")
}

func (c Command) write(ctx context.Context, out *terminal.Streams) (err error) {
	recipients, err := parts.Recipients(c.Recipient, c.Recipients)
	if err != nil {
		return err
	}
	config, done, err := parts.ForBackup(ctx, c.Config)
	if err != nil {
		return err
	}
	defer done()
	if c.To == "-" {
		s, err := backup.Write(ctx, config, out.Stdout, recipients...)
		if err != nil {
			return err
		}
		return c.tell(out.Stderr, s, "The backup is written.")
	}
	if _, err := os.Lstat(c.To); err == nil {
		return fmt.Errorf("%s exists: name another file", c.To)
	}
	f, err := os.CreateTemp(filepath.Dir(c.To), filepath.Base(c.To)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	s, err := backup.Write(ctx, config, f, recipients...)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := parts.Name(f.Name(), c.To); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return c.tell(out.Stdout, s, "The backup is written. Check it where you keep it: codegrant backup --verify FILE --identity KEY")
}

func (c Command) tell(to io.Writer, s *backup.Summary, words string) error {
	if c.JSON {
		return terminal.PrintJSON(to, s)
	}
	fmt.Fprintf(to, "%s\nmade: %s, of %s\n", words, s.Made.Format(time.RFC3339), s.From)
	for _, name := range backup.Sections() {
		fmt.Fprintf(to, "%s: %d\n", name, s.Rows[name])
	}
	fmt.Fprintf(to, "sha256 of the content: %s\n", s.SHA256)
	return nil
}
