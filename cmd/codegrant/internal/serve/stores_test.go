package serve

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// TestS293_EndsOfWhatRedisCannotName: where Redis does not say how long the sessions of a
// person live, or one that is signed out, their ends are on record for as long as any session
// can go unused. So it is in the gateway and in the commands.
func TestS293_EndsOfWhatRedisCannotName(t *testing.T) {
	for idle, longest := range map[string]time.Duration{"": 25 * time.Hour, "    idle_timeout: 168h\n": 168 * time.Hour} {
		for _, where := range []string{"gateway", "commands"} {
			dir := t.TempDir()
			config := filepath.Join(dir, "codegrant.yaml")
			text := "base_url: https://app.example.com\nkeys_file: keys\nsessions: redis\nredis: redis://" + testenv.FreeAddress(t) + "\ndatabase: sqlite:app.db\n" +
				"pools:\n  - id: eu-west-1_Ab12Cd34E\n    domain: acme.auth.eu-west-1.amazoncognito.com\n    client_id: abc\n" + idle +
				"routes: [{path: /, upstream: 'http://127.0.0.1:1'}]\n"
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "keys"), []byte(newSealingKey()), 0o600); err != nil {
				t.Fatal(err)
			}
			keys := session.RandomKeyring()
			s, err := settings.Load(config, settings.Options{Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			var sessions session.Store
			var ends session.Ends
			if where == "gateway" {
				p := newProcess(s, keys, slog.New(slog.DiscardHandler), new(slog.LevelVar), nil)
				st, err := p.openStores(s)
				if err != nil {
					t.Fatal(err)
				}
				defer st.release()
				if err := st.prepare(t.Context()); err != nil {
					t.Fatal(err)
				}
				sessions, ends = st.sessions, st.ends
			} else {
				o, err := parts.OpenStores(s)
				if err != nil {
					t.Fatal(err)
				}
				defer o.Close()
				if err := o.InDatabase.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				sessions, ends = o.Sessions, o.InDatabase
			}
			if _, err := sessions.DeleteBySubject(t.Context(), "pool", "alice"); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("all sessions of a person, without Redis: %v", err)
			}
			if err := sessions.Delete(t.Context(), "some-session"); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("one session, without Redis: %v", err)
			}
			all, err := ends.EndsAfter(t.Context(), 0, 10)
			if err != nil || len(all) != 2 {
				t.Fatalf("%s: %d ends are on record, %v", where, len(all), err)
			}
			for _, end := range all {
				if left := time.Until(end.Until); left < longest-time.Minute || left > longest+time.Hour {
					t.Errorf("%s, idle timeout %q: the end of %q, %q is on record for %v", where, idle, end.Subject, end.ID, left)
				}
			}
		}
	}
}
