package backup_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
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

// TestS642_WhoIsNotInTheFileStays: with groups of another pool as they were known, in no
// chain of identities, and without a history of a time in which it was not kept.
func TestS642_WhoIsNotInTheFileStays(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Run("groups of another pool", func(t *testing.T) {
				r := e.rig(t)
				r.fill(t)
				file := r.backup(t)
				const added = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Added0001"
				must(t, r.users.DefineGroups(t.Context(), added, []replica.GroupDefinition{{Name: "theirs", RoleARN: "arn:aws:iam::1:role/theirs"}}, stated))
				must(t, r.users.DefineGroups(t.Context(), issuer, []replica.GroupDefinition{{Name: "wrong", RoleARN: "arn:aws:iam::1:role/wrong"}}, stated.Add(time.Minute)))
				must(t, r.restore(t, file, true))
				for pool, want := range map[string]string{added: "theirs", issuer: "admins"} {
					if groups, err := r.users.GroupsAsOf(t.Context(), pool, stated.Add(time.Hour)); err != nil || len(groups) != 1 || groups[0].Name != want {
						t.Errorf("%s has %v, %v", pool, groups, err)
					}
				}
			})
			t.Run("chain", func(t *testing.T) {
				r := e.rig(t)
				a := r.apply(t, replica.Snapshot{Subject: "a", Username: "a", At: stated})
				b := r.apply(t, replica.Snapshot{Subject: "b", Username: "b", At: stated})
				_, err := r.users.Merge(t.Context(), b.ID, a.ID, "me")
				must(t, err)
				file := r.backup(t)
				_, err = r.users.Unlink(t.Context(), b.ID)
				must(t, err)
				c := r.apply(t, replica.Snapshot{Subject: "c", Username: "c", At: stated})
				_, err = r.users.Merge(t.Context(), c.ID, a.ID, "me")
				must(t, err)
				d := r.apply(t, replica.Snapshot{Subject: "d", Username: "d", At: stated})
				_, err = r.users.Merge(t.Context(), d.ID, b.ID, "me")
				must(t, err)
				must(t, r.restore(t, file, true))
				for id, want := range map[int64]int64{a.ID: a.ID, b.ID: a.ID, c.ID: a.ID, d.ID: d.ID} {
					if u, err := r.users.User(t.Context(), id); err != nil || u.Person() != want {
						t.Errorf("%s is an identity of row %d, want %d (%v)", u.Username, u.Person(), want, err)
					}
				}
			})
			t.Run("history", func(t *testing.T) {
				r := e.rig(t)
				r.apply(t, replica.Snapshot{Subject: "s-old", Username: "old", At: stated})
				file := r.backup(t)
				without, err := sqlreplica.New(r.DB, sqlreplica.Config{Dialect: e.users, Now: func() time.Time { r.now = r.now.Add(time.Second); return r.now }})
				must(t, err, without.Migrate(t.Context())) // it is turned off
				x := replica.Snapshot{Issuer: issuer, Subject: "s-x", Username: "x", Name: "Before", At: stated}
				_, err = without.Apply(t.Context(), x)
				must(t, err)
				at := r.now.Add(500 * time.Millisecond)
				x.Name, x.At = "After", stated.Add(time.Minute)
				_, err = without.Apply(t.Context(), x)
				must(t, err, r.users.Migrate(t.Context())) // and on again: it begins now
				u, err := r.users.UserBySubject(t.Context(), issuer, "s-x")
				must(t, err)
				for _, stage := range []string{"before", "after"} {
					if was, err := r.users.AsOf(t.Context(), []replica.User{u}, at); !errors.Is(err, sqlreplica.ErrNoHistory) {
						t.Errorf("%s: x was %v then, it says (%v)", stage, was, err)
					}
					must(t, r.restore(t, file, true))
				}
				late := r.backup(t)
				first := e.rig(t) // its history begins before that of the file
				must(t, first.restore(t, file, false), first.restore(t, late, true))
				y, err := first.users.UserBySubject(t.Context(), issuer, "s-x")
				must(t, err)
				if was, err := first.users.AsOf(t.Context(), []replica.User{y}, at); !errors.Is(err, sqlreplica.ErrNoHistory) {
					t.Errorf("elsewhere: x was %v then, it says (%v)", was, err)
				}
			})
		})
	}
}

// TestRestoreOfWhoWasErasedAndCameBack: the refusal names the row to erase, and then it goes.
func TestRestoreOfWhoWasErasedAndCameBack(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			r := e.rig(t)
			r.fill(t)
			file := r.backup(t)
			u, err := r.users.UserBySubject(t.Context(), issuer, "s-all")
			must(t, err)
			_, err = r.users.Erase(t.Context(), u.ID, sqlreplica.EraseOptions{By: "me"})
			must(t, err)
			again := r.apply(t, replica.Snapshot{Subject: "s-all", Username: "again", At: stated.Add(time.Hour)})
			before := r.said(t)
			err = r.restore(t, file, true)
			if !errors.Is(err, backup.ErrAnotherRow) || errors.Is(err, backup.ErrOther) || !strings.Contains(err.Error(), fmt.Sprintf("erase row %d first", again.ID)) {
				t.Errorf("it says %v", err)
			}
			if d := differ(r.said(t), before); d != "" {
				t.Errorf("it has written: %s", d)
			}
			_, err = r.users.Erase(t.Context(), again.ID, sqlreplica.EraseOptions{By: "me"})
			must(t, err, r.restore(t, file, true))
			if back, err := r.users.UserBySubject(t.Context(), issuer, "s-all"); err != nil || back.ID != u.ID || back.Username != u.Username {
				t.Errorf("they are %+v, %v", back, err)
			}
		})
	}
}
