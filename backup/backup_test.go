package backup_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"database/sql"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/webhook"
)

// TestMain is also the process that a test here kills.
func TestMain(m *testing.M) {
	if scene := os.Getenv("CODEGRANT_TEST_RESTORE_KILLED"); scene != "" {
		waitToBeKilled(scene)
	}
	if scene := os.Getenv("CODEGRANT_TEST_BACKUP_KILLED"); scene != "" {
		writeUntilKilled(scene)
	}
	os.Exit(m.Run())
}

// TestBackupFromOneEngineToAnother: all that the stores say, of now and of before, they say
// of the other database as well.
func TestBackupFromOneEngineToAnother(t *testing.T) {
	for _, from := range engines {
		t.Run(from.name, func(t *testing.T) {
			r := from.rig(t)
			r.fill(t)
			file := r.backup(t)
			want := r.said(t)
			for _, to := range engines {
				t.Run("to "+to.name, func(t *testing.T) {
					other := to.rig(t)
					other.then = r.then
					must(t, other.restore(t, file, false))
					if d := differ(other.said(t), want); d != "" {
						t.Errorf("here it %s", d)
					}
					// As often as one likes.
					must(t, other.restore(t, file, true))
					if d := differ(other.said(t), want); d != "" {
						t.Errorf("here, a second time it %s", d)
					}
				})
			}
		})
	}
}

// leftOut are columns that no backup has, and why.
var leftOut = map[string]string{
	"codegrant_users.pass":           "of a pass that the next one knows nothing of",
	"codegrant_history.id":           "the order of the file",
	"codegrant_group_history.id":     "the order of the file",
	"codegrant_confirmations.":       "the next pass says it again",
	"codegrant_outbox.":              "who hears of changes has heard of them, or asks for everybody",
	"codegrant_passes.":              "about a pass under way",
	"codegrant_pass_members.":        "about a pass under way",
	"codegrant_webhooks.":            "messages that wait, about how people were",
	"codegrant_webhooks_once.":       "messages that were told once, for a while",
	"codegrant_sessions.":            "sessions end, and people sign in again",
	"codegrant_session_ends.":        "sessions end",
	"codegrant_session_migrations.":  "of the program",
	"codegrant_replica_migrations.":  "of the program",
	"codegrant_replica_schema.":      "of the program",
	"codegrant_cupboard.":            "what is ended by a record must not begin again, and expires",
	"codegrant_organization_choices": "of sessions",
	"codegrant_organization_schema.": "of the program",
	"codegrant_organization_sent.":   "how many invitations were mailed lately",
	// What was revoked since would be good again.
	"codegrant_organization_invitations": "made again",
}

// TestBackupHasEveryTable: a column that a later version adds is in the file, or somebody
// has said why not.
func TestBackupHasEveryTable(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			r := e.rig(t)
			sessions, err := sqlstore.New(r.DB, sqlstore.Config{Dialect: e.sessions})
			must(t, err)
			journal, err := directory.NewSQLJournal(r.DB, e.journal)
			must(t, err)
			queue, err := webhook.NewQueue(r.DB, e.webhooks)
			must(t, err, sessions.Migrate(t.Context()), journal.Migrate(t.Context()), queue.Migrate(t.Context()))
			has := backup.Columns()
			for _, column := range r.columnsOf(t) {
				out := false
				for prefix := range leftOut {
					out = out || strings.HasPrefix(column, prefix)
				}
				if in := slices.Contains(has, column); in == out {
					t.Errorf("%s: in the file %t, left out %t", column, in, out)
				}
			}
		})
	}
}

// TestS641_DamagedFileIsRefused: whatever is cut, changed or added, nothing is written.
func TestS641_DamagedFileIsRefused(t *testing.T) {
	r := engines[0].rig(t)
	r.fill(t)
	file := r.backup(t)
	empty := engines[0].rig(t)
	refused := func(what string, file []byte) {
		t.Helper()
		if _, err := backup.Verify(bytes.NewReader(file), key); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrNewer) {
			t.Errorf("%s: verify says %v", what, err)
		}
		if err := empty.restore(t, file, true); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrNewer) {
			t.Errorf("%s: restore says %v", what, err)
		}
	}
	for n := 0; n < len(file); n += 1 + len(file)/29 {
		refused(fmt.Sprint("cut after ", n), file[:n])
		changed := bytes.Clone(file)
		changed[n] ^= 1
		refused(fmt.Sprint("changed at ", n), changed)
	}
	refused("added to", append(bytes.Clone(file), 'x'))
	refused("twice", append(bytes.Clone(file), file...))

	// And so is what somebody has encrypted to the key, of whom nobody knows.
	plain := unseal(t, file)
	lines := bytes.SplitAfter(plain, []byte("\n"))
	for i := range len(lines) - 1 { // the last is what follows the end
		refused(fmt.Sprint("without line ", i), seal(t, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil)))
		refused(fmt.Sprint("cut before line ", i), seal(t, bytes.Join(lines[:i], nil)))
	}
	refused("with another address", seal(t, bytes.Replace(plain, []byte("asa@example.org"), []byte("eve@example.org"), 1)))
	refused("without its end", seal(t, bytes.TrimSuffix(plain, []byte("\n"))))
	refused("no backup", seal(t, []byte("hello\n")))
	refused("an endless line", seal(t, bytes.Repeat([]byte("["), 17<<20)))
	refused("of later", seal(t, bytes.Replace(plain, []byte(`"codegrant_backup":1`), []byte(`"codegrant_backup":2`), 1)))
	refused("with another section", seal(t, bytes.Replace(plain, []byte(`"section":"links"`), []byte(`"section":"cars"`), 1)))
	refused("with another column", seal(t, bytes.Replace(plain, []byte(`"username"`), []byte(`"nickname"`), 1)))
	if holds, err := backup.Holds(t.Context(), empty.Config); err != nil || holds["people"]+holds["groups"]+holds["organizations"] != 0 {
		t.Errorf("written: %v, %v", holds, err)
	}
	if _, err := backup.Verify(bytes.NewReader(file), otherKey); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("with another key: %v", err)
	}
	if bytes.Contains(file, []byte("asa@example")) {
		t.Error("an address can be read in the file")
	}
	s, err := backup.Verify(bytes.NewReader(file), otherKey, key)
	if err != nil || s.Rows["people"] != 4 || s.Rows["links"] != 1 || s.Rows["organization members"] != 1 || s.From != "SQLite" {
		t.Errorf("the file itself: %+v, %v", s, err)
	}
}

func unseal(t *testing.T, file []byte) []byte {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(file), key)
	must(t, err)
	z, err := gzip.NewReader(r)
	must(t, err)
	plain, err := io.ReadAll(z)
	must(t, err)
	return plain
}

func seal(t *testing.T, plain []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := age.Encrypt(&file, key.Recipient())
	must(t, err)
	z := gzip.NewWriter(w)
	_, err = z.Write(plain)
	must(t, err, z.Close(), w.Close())
	return file.Bytes()
}

// TestS642_NobodyIsOverwrittenUntold: a database with anything in it is refused; told to, a
// restore replaces those of the file, leaves everybody else, and takes nobody for another.
func TestS642_NobodyIsOverwrittenUntold(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			r := e.rig(t)
			r.fill(t)
			file := r.backup(t)
			then := r.said(t)
			later := r.apply(t, replica.Snapshot{Subject: "s-later", Username: "later", GroupsKnown: true, Groups: []replica.GroupRef{{Name: "admins"}}, At: stated})
			r.apply(t, replica.Snapshot{Subject: "s-all", Username: "mistake", GroupsKnown: true, Groups: []replica.GroupRef{{Name: "wrong"}}, At: stated.Add(time2)})
			before := r.said(t)
			if err := r.restore(t, file, false); !errors.Is(err, backup.ErrNotEmpty) {
				t.Errorf("untold: %v", err)
			}
			if d := differ(r.said(t), before); d != "" {
				t.Errorf("untold, it has written: %s", d)
			}
			must(t, r.restore(t, file, true))
			said := r.said(t)
			for _, line := range strings.Split(then, "\n") {
				if !strings.Contains(said, line) {
					t.Errorf("not as it was: %s", line)
				}
			}
			if u, err := r.users.User(t.Context(), later.ID); err != nil || u.Username != "later" || len(u.Groups) != 1 {
				t.Errorf("who came later is %+v, %v", u, err)
			}
			if strings.Contains(said, "mistake") || strings.Contains(said, "wrong") {
				t.Error("what was to be replaced is there")
			}

			for what, s := range map[string]replica.Snapshot{
				"another in the row of one": {Subject: "s-another", At: stated},
				"one in another row":        {Subject: "s-bare", At: stated},
			} {
				other := e.rig(t)
				other.apply(t, s)
				before := other.said(t)
				if err := other.restore(t, file, true); !errors.Is(err, backup.ErrOther) {
					t.Errorf("%s: %v", what, err)
				}
				if d := differ(other.said(t), before); d != "" {
					t.Errorf("%s: it has written: %s", what, d)
				}
			}
		})
	}
}

const time2 = 2 * 60e9

// TestS643_KilledRestore: whoever is killed in the midst of a restore has written nothing,
// and the next one does it all.
func TestS643_KilledRestore(t *testing.T) {
	for i, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			from := e.rig(t)
			from.fill(t)
			file, want := from.backup(t), from.said(t)
			path := t.TempDir() + "/file"
			must(t, os.WriteFile(path, file, 0o600))
			r := e.rig(t)
			r.then = from.then
			for _, line := range []int{1, 5, 7, 9, 11, 13} {
				command := exec.CommandContext(t.Context(), os.Args[0])
				command.Env = append(os.Environ(), fmt.Sprintf("CODEGRANT_TEST_RESTORE_KILLED=%d %d %s %s %s", i, line, path, key, r.dsn))
				stdout, err := command.StdoutPipe()
				must(t, err, command.Start())
				said, err := bufio.NewReader(stdout).ReadString('\n')
				must(t, err, command.Process.Kill())
				_ = command.Wait()
				if said != "in the middle\n" {
					t.Fatalf("line %d: %s", line, said)
				}
				holds, err := backup.Holds(t.Context(), r.Config)
				if err != nil || holds["people"]+holds["groups"]+holds["organizations"] != 0 {
					t.Errorf("killed at line %d: it has written %v, %v", line, holds, err)
				}
			}
			must(t, r.restore(t, file, false))
			if d := differ(r.said(t), want); d != "" {
				t.Errorf("here it %s", d)
			}
		})
	}
}

// waitToBeKilled is a process that stops within a restore, at a line of the file.
func waitToBeKilled(scene string) {
	parts := strings.SplitN(scene, " ", 5)
	i, _ := strconv.Atoi(parts[0])
	line, _ := strconv.Atoi(parts[1])
	identity, err := age.ParseX25519Identity(parts[3])
	if err != nil {
		panic(err)
	}
	db, err := sql.Open(engines[i].driver, parts[4])
	if err != nil {
		panic(err)
	}
	backup.StopAt(line, func() {
		os.Stdout.WriteString("in the middle\n")
		select {} // the parent ends it
	})
	_, err = backup.Restore(context.Background(), backup.Config{DB: db, Dialect: engines[i].dialect},
		func() (io.ReadCloser, error) { return os.Open(parts[2]) }, backup.Options{Identities: []age.Identity{identity}})
	panic(fmt.Sprint("it was not stopped: ", err))
}

// TestS644_NoNumberIsGivenAgain: whoever comes after a restore has a number that nobody had,
// not even somebody who came after the backup was made.
func TestS644_NoNumberIsGivenAgain(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			r := e.rig(t)
			r.fill(t)
			file := r.backup(t)
			later := r.apply(t, replica.Snapshot{Subject: "s-later", Username: "later", GroupsKnown: true, Groups: []replica.GroupRef{{Name: "new"}}, At: stated})
			other := e.rig(t)
			must(t, other.restore(t, file, false))
			next := other.apply(t, replica.Snapshot{Subject: "s-next", GroupsKnown: true, Groups: []replica.GroupRef{{Name: "newer"}}, At: stated})
			if next.ID < later.ID+900_000 || next.Groups[0].ID < later.Groups[0].ID+900_000 {
				t.Errorf("the next has %d, in group %d; before it were %d and %d", next.ID, next.Groups[0].ID, later.ID, later.Groups[0].ID)
			}
			again := other.apply(t, replica.Snapshot{Subject: "s-again", At: stated})
			if again.ID <= next.ID || again.ID > next.ID+10 {
				t.Errorf("after %d comes %d", next.ID, again.ID)
			}
		})
	}
}

// TestBackupHoldsLittleInMemory: a stream of many people needs no more than one of few.
func TestBackupHoldsLittleInMemory(t *testing.T) {
	const people = 20_000
	r, other := engines[0].rig(t), engines[0].rig(t)
	_, err := r.DB.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO codegrant_users (id, issuer, subject, username, email, email_verified, name, given_name, family_name, phone_number, phone_number_verified, locale, custom, enabled, status,
			created_at, updated_at, as_of, search_username, search_email, search_name, search_family_name)
		SELECT i, 'i', 's-' || i, 'u' || i, 'u' || i || '@example.com', TRUE, 'N', 'N', 'N', '', FALSE, '', json_object('custom:a', hex(randomblob(500))), TRUE, 'CONFIRMED',
			'2026-03-01 00:00:00.000000', '2026-03-01 00:00:00.000000', '2026-03-01 00:00:00.000000', 'u' || i, 'u' || i || '@example.com', 'n', 'n' FROM n`, people)
	must(t, err)
	path := t.TempDir() + "/file"
	f, err := os.Create(path)
	must(t, err)
	before := live() // other tests have left something behind
	w := &watch{Writer: f}
	_, err = backup.Write(t.Context(), r.Config, w, key.Recipient())
	must(t, err, f.Close())
	var read watch
	s, err := backup.Restore(t.Context(), other.Config, func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		return struct {
			io.Reader
			io.Closer
		}{io.TeeReader(f, &read), f}, err
	}, backup.Options{Identities: []age.Identity{key}})
	if err != nil || s.Rows["people"] != people {
		t.Fatalf("%+v, %v", s, err)
	}
	// The file is 12 MB, and its rows 24 MB.
	t.Logf("at most %d KB while it is written, %d KB while it is read; %d KB before", w.most>>10, read.most>>10, before>>10)
	if w.most > before+10<<20 || read.most > before+10<<20 {
		t.Errorf("it holds %d bytes while it writes, and %d while it reads; %d before", w.most, read.most, before)
	}
}

// watch sees how much is live while something is written to it.
type watch struct {
	io.Writer
	n    int
	most uint64
}

func (w *watch) Write(p []byte) (int, error) {
	if w.n++; w.n%32 == 0 {
		w.most = max(w.most, live())
	}
	if w.Writer == nil {
		return len(p), nil
	}
	return w.Writer.Write(p)
}

// live is how many bytes the heap has in use.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
