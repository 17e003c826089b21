package backup_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
)

// TestS804_KilledBackup: wherever a process is killed that writes a backup, what it leaves is
// refused.
func TestS804_KilledBackup(t *testing.T) {
	r := engines[0].rig(t)
	r.fill(t)
	whole := len(r.backup(t))
	for _, n := range []int{1, 100, 200, whole / 2, whole - 100} {
		path := fmt.Sprintf("%s/file%d", t.TempDir(), n)
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), fmt.Sprintf("CODEGRANT_TEST_BACKUP_KILLED=%d %s %s %s", n, path, key.Recipient(), r.dsn))
		stdout, err := command.StdoutPipe()
		must(t, err, command.Start())
		said, err := bufio.NewReader(stdout).ReadString('\n')
		must(t, err, command.Process.Kill())
		_ = command.Wait()
		if said != "in the middle\n" {
			t.Fatalf("%d bytes: %s", n, said)
		}
		left, err := os.ReadFile(path)
		if err != nil || len(left) != n {
			t.Fatalf("it has left %d bytes of %d, %v", len(left), n, err)
		}
		open := func() (io.ReadCloser, error) { return os.Open(path) }
		f, err := open()
		must(t, err)
		_, err = backup.Verify(f, key)
		must(t, f.Close())
		if !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err := backup.People(open, []age.Identity{key}, func(backup.Person) error { t.Error("somebody is read"); return nil }); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := backup.Restore(t.Context(), engines[0].rig(t).Config, open, backup.Options{Identities: []age.Identity{key}}); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// writeUntilKilled is a process that stops after so many bytes of a backup.
func writeUntilKilled(scene string) {
	var n int
	var path, recipient, dsn string
	if _, err := fmt.Sscan(scene, &n, &path, &recipient, &dsn); err != nil {
		panic(err)
	}
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		panic(err)
	}
	db, err := sql.Open(engines[0].driver, dsn)
	if err != nil {
		panic(err)
	}
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	_, err = backup.Write(context.Background(), backup.Config{DB: db, Dialect: engines[0].dialect}, &stuck{f, n}, to)
	panic(fmt.Sprint("it was not stopped: ", err))
}

// stuck takes so many bytes, and then nothing.
type stuck struct {
	to   io.Writer
	left int
}

func (s *stuck) Write(p []byte) (int, error) {
	n, err := s.to.Write(p[:min(len(p), s.left)])
	if s.left -= n; s.left > 0 || err != nil {
		return n, err
	}
	os.Stdout.WriteString("in the middle\n")
	select {} // the parent ends it
}
