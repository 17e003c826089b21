package backup_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/replica"
)

// TestS642_NobodyIsOverwrittenMeanwhile: somebody who signs in after a restore has seen that
// the database is empty is not overwritten either, and nothing is written.
func TestS642_NobodyIsOverwrittenMeanwhile(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			r := e.rig(t)
			r.apply(t, replica.Snapshot{Subject: "s-alice", Username: "alice", At: stated})
			file := r.backup(t)
			other := e.rig(t)
			if e.name == "SQLite" { // else the transaction begins with the lock of a writer
				db, err := sql.Open("sqlite", strings.Replace(other.dsn, "_txlock=immediate", "_txlock=deferred", 1))
				must(t, err)
				t.Cleanup(func() { db.Close() })
				other.DB = db
			}
			opened, before := 0, ""
			_, err := backup.Restore(t.Context(), other.Config, func() (io.ReadCloser, error) {
				if opened++; opened == 2 {
					m := other.apply(t, replica.Snapshot{Subject: "s-mallory", Username: "mallory", At: stated})
					_, err := other.users.GrantLocalGroup(t.Context(), m.ID, "admins")
					must(t, err)
					before = other.said(t)
				}
				return io.NopCloser(bytes.NewReader(file)), nil
			}, backup.Options{Identities: []age.Identity{key}})
			if opened != 2 || !errors.Is(err, backup.ErrNotEmpty) {
				t.Errorf("opened %d times, it says %v", opened, err)
			}
			if d := differ(other.said(t), before); d != "" {
				t.Errorf("it has written: %s", d)
			}
		})
	}
}
