package inspect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/django"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

func kindsOf(found []django.InTheWay) string {
	var kinds []string
	for _, f := range found {
		kinds = append(kinds, f.Kind+" "+fmt.Sprint(f.Accounts))
	}
	slices.Sort(kinds)
	return strings.Join(kinds, "; ")
}

// TestUsersDuplicatesAndRelink: after the move.
func TestUsersDuplicatesAndRelink(t *testing.T) {
	pool := commandtest.Healthy(t)
	issuer := pool.Clients()[0].Issuer
	url, db := commandtest.DjangoProject(t, "alice@example.com", "bob@example.com")
	if _, stderr, status := say(t, "migrate", "--database", url, "--django"); status != 0 {
		t.Fatalf("migrate: %d, %s", status, stderr)
	}
	users, err := db.Users(settings.Replica{Django: true, Unverified: "apart"})
	if err != nil {
		t.Fatal(err)
	}
	person := replica.Snapshot{Issuer: issuer, Subject: "sub-of-alice", Email: "Alice@example.com", SignIn: true, At: time.Now()}
	twin, err := users.Apply(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	duplicates := func() (found []django.InTheWay, status int) {
		stdout, stderr, status := say(t, "users", "duplicates", "--database", url, "--json")
		var answer struct{ Duplicates []django.InTheWay }
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		return answer.Duplicates, status
	}
	if found, status := duplicates(); status != 1 || kindsOf(found) != "twin [3 1]" || found[0].Subject != "sub-of-alice" {
		t.Errorf("duplicates: %d, %+v", status, found)
	}
	stdout, _, status := say(t, "users", "relink", "--database", url, "--account", "1", "--subject", "sub-of-alice")
	if status != 0 || !strings.Contains(stdout, "Nothing is done yet") || !strings.Contains(stdout, "They leave user 3") {
		t.Errorf("relink: %d, %s", status, stdout)
	}
	if u, err := users.UserBySubject(t.Context(), issuer, "sub-of-alice"); err != nil || u.ID != twin.User.ID {
		t.Errorf("it did: user %d, %v", u.ID, err)
	}
	if stdout, stderr, status := say(t, "users", "relink", "--database", url, "--account", "1", "--subject", "sub-of-alice", "--yes"); status != 0 {
		t.Errorf("relink --yes: %d, %s%s", status, stdout, stderr)
	}
	if u, err := users.UserBySubject(t.Context(), issuer, "sub-of-alice"); err != nil || u.ID != 1 {
		t.Errorf("user %d, %v", u.ID, err)
	}
	if found, status := duplicates(); status != 0 || len(found) != 0 {
		t.Errorf("afterwards: %d, %+v", status, found)
	}
	if _, stderr, status := say(t, "users", "relink", "--database", url, "--account", "99", "--subject", "x"); status != 1 || !strings.Contains(stderr, "not found") {
		t.Errorf("nobody's account: %d, %s", status, stderr)
	}
}
