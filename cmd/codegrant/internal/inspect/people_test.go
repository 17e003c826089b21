package inspect

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/replica"
)

// TestS270_PeopleAtRandomInTheCommand: what it prints, as JSON and as a table, is what the
// replica has, and each person is found by sub, username and address. A fortieth of
// CODEGRANT_PEOPLE comes here.
func TestS270_PeopleAtRandomInTheCommand(t *testing.T) {
	n := 30
	if given, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && given > 0 {
		n = max(given/40, 1)
	}
	config := commandtest.Stores(t)
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	maker, known := peopletest.New(6), make(map[string]replica.Snapshot)
	apply := func(p peopletest.Person) {
		t.Helper()
		s := replica.Snapshot{
			Issuer: o.Issuer, Subject: p.Subject, Username: p.Username, Name: p.Attributes["name"], Email: p.Attributes["email"],
			EmailVerified: p.Attributes["email_verified"] == "true", GroupsKnown: true, At: time.Now(),
		}
		for _, g := range p.Groups {
			s.Groups = append(s.Groups, replica.GroupRef{Name: g})
		}
		s, err := s.Fit()
		if err == nil {
			_, err = o.Users.Apply(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
		known[s.Subject] = s
	}
	for i := range n {
		p := maker.Next()
		if i == 0 {
			p = maker.Largest()
		}
		apply(p)
	}
	same := func(got parts.Person, by string) {
		t.Helper()
		want, groups := known[got.Subject], []string{}
		for _, g := range want.Groups {
			groups = append(groups, g.Name)
		}
		slices.Sort(groups)
		if want.Subject == "" || got.Username != want.Username || got.Name != want.Name || got.Email != want.Email || got.EmailVerified != want.EmailVerified || !slices.Equal(got.Groups, groups) {
			t.Fatalf("by %s, the command says %+v, the replica has %+v", by, got, want)
		}
	}
	stdout, stderr, status := say(t, "users", "--json", "--limit", "100", "--config", config)
	var listed struct{ Users []parts.Person }
	if err := json.Unmarshal([]byte(stdout), &listed); err != nil || status != 0 || len(listed.Users) < min(n, 90) {
		t.Fatalf("%v: %d %s", err, status, stderr)
	}
	table, _, _ := say(t, "users", "--limit", "100", "--config", config)
	for _, p := range listed.Users {
		if strings.HasPrefix(p.Subject, "sub-") {
			continue // alice and bob
		}
		same(p, "list")
		if !strings.Contains(table, terminal.Printable(p.Username)) {
			t.Errorf("the table does not have %q:\n%s", p.Username, table)
		}
	}
	for _, p := range listed.Users[:min(12, len(listed.Users))] {
		for _, by := range []string{p.Subject, p.Username, p.Email} {
			if strings.HasPrefix(by, "-") || strings.HasPrefix(p.Subject, "sub-") {
				continue // for flags
			}
			stdout, stderr, status := say(t, "users", "show", "--json", "--config", config, "--", by)
			var shown struct{ User parts.Person }
			if err := json.Unmarshal([]byte(stdout), &shown); err != nil || status != 0 || shown.User.Subject != p.Subject {
				t.Fatalf("%q: %v: %d %s%s", by, err, status, stdout, stderr)
			}
			same(shown.User, by)
		}
	}

	// A username that is another's row names nobody; a telephone number is not a row.
	apply(peopletest.Person{Subject: "who-is-called-1", Username: "1"})
	apply(peopletest.Person{Subject: "who-is-called-2", Username: "+2"})
	if _, stderr, status := say(t, "users", "show", "--config", config, "--", "1"); status == 0 || !strings.Contains(stderr, "use the sub") {
		t.Errorf("two people: %d %s", status, stderr)
	}
	if stdout, stderr, status := say(t, "users", "show", "--config", config, "--", "+2"); status != 0 || !strings.Contains(stdout, "who-is-called-2") {
		t.Errorf("a telephone number: %d %s%s", status, stdout, stderr)
	}
}
