package inspect

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// TestS679_LinkedAtPool: an operator reads what is lost, and nothing is done without --yes. Then the
// account at the provider is a way to sign in as the user who stays, at the pool and here, and the log
// says who did it. Unlinking reverses it.
func TestS679_LinkedAtPool(t *testing.T) {
	w := newLinkable(t)
	w.google("G-4711", "buyers")
	w.sync()
	alice, google := w.row("alice"), w.row("google_g-4711")
	begin := func(of replica.User) {
		t.Helper()
		now := time.Now()
		w.ok(w.o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: w.o.Bound, Subject: of.Subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}))
	}
	ended := func(what string) {
		t.Helper()
		if all, err := w.o.Sessions.List(t.Context(), session.Query{Pool: w.o.Bound, Subject: google.Subject, Limit: 10}); err != nil || len(all) > 0 {
			t.Errorf("%s: %d sessions of the former user, %v", what, len(all), err)
		}
	}
	begin(google)
	before := w.everything()

	out, audit := w.merge(0, google, alice)
	for _, want := range []string{"google_g-4711 would be deleted", "sub " + google.Subject, "lost: the groups buyers. alice does not get them", "the account at Google would be linked", "add --yes"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan has no %q:\n%s", want, out)
		}
	}
	if after := w.everything(); after != before || audit != "" {
		t.Fatalf("something was done without --yes: %s\n%s\nbefore:\n%s", audit, after, before)
	}

	_, audit = w.merge(0, google, alice, "--yes")
	for _, want := range []string{`"event":"deleted_at_pool"`, `"event":"linked_at_pool"`, `"event":"merged"`, `"pool":"` + w.pool.PoolID + `"`, fmt.Sprintf(`"identity":%d,"into":%d,"provider":"Google"`, google.ID, alice.ID), `"by":"operator `} {
		if !strings.Contains(audit, want) {
			t.Errorf("the log has no %s:\n%s", want, audit)
		}
	}
	if strings.Contains(audit, "4711") || strings.Contains(audit, "gmail") {
		t.Errorf("the log has personal data: %s", audit)
	}
	linked := func(what string) {
		t.Helper()
		if got, gone := w.accounts("alice"), w.accounts("google_g-4711"); got != "Google G-4711" || gone != "nobody" {
			t.Errorf("%s: alice has %q, google_g-4711 has %q", what, got, gone)
		}
		if u := w.again(google); u.Person() != alice.ID || u.Enabled || len(u.Groups) > 0 {
			t.Errorf("%s: the row is %+v", what, u)
		}
	}
	linked("merged")
	ended("merged")

	out, _ = w.merge(0, google, alice)
	if !strings.Contains(out, "is linked to alice already") {
		t.Errorf("a second plan: %s", out)
	}
	if _, audit = w.merge(0, google, alice, "--yes"); strings.Contains(audit, "deleted_at_pool") || strings.Contains(audit, `"event":"merged"`) {
		t.Errorf("a second time: %s", audit)
	}
	linked("a second time")
	// A run that ended before the sessions did.
	begin(google)
	w.merge(0, google, alice, "--yes")
	ended("a run that goes on")
	w.sync() // the row is deleted now
	w.merge(0, google, alice, "--yes")
	if u := w.again(google); w.accounts("alice") != "Google G-4711" || u.Deleted.IsZero() || u.Person() != alice.ID {
		t.Errorf("after a pass: %+v", u)
	}

	w.ok(w.link("alice", "another"))
	row := fmt.Sprint(google.ID)
	if out, audit = w.users(0, "unlink", row, "--at-pool"); !strings.Contains(out, "alice would lose the account at Google") || !strings.Contains(out, "--into "+row+" ") || !strings.Contains(out, "add --yes") || audit != "" {
		t.Errorf("unlink: %s%s", out, audit)
	}
	if w.accounts("alice") != "Google G-4711, Google another" || w.again(google).LinkedTo == 0 {
		t.Fatal("unlinked without --yes")
	}
	if _, audit = w.users(0, "unlink", row, "--at-pool", "--yes"); !strings.Contains(audit, `"event":"unlinked_at_pool"`) || !strings.Contains(audit, `"event":"unlinked"`) || strings.Contains(audit, "4711") {
		t.Errorf("the log: %s", audit)
	}
	if w.accounts("alice") != "Google another" || w.again(google).LinkedTo != 0 {
		t.Errorf("unlinked: alice has %q, row %+v", w.accounts("alice"), w.again(google))
	}
}

// TestS679_MergedBefore: people who were merged here alone can be linked at the pool later. What the
// pool has not linked is unlinked here, and its user goes on.
func TestS679_MergedBefore(t *testing.T) {
	w := newLinkable(t)
	w.google("17")
	w.sync()
	alice, google := w.row("alice"), w.row("google_17")
	w.users(0, "merge", "--from", fmt.Sprint(google.ID), "--into", "alice", "--yes")
	if out, _ := w.users(0, "unlink", fmt.Sprint(google.ID), "--at-pool", "--yes"); !strings.Contains(out, "a person of its own") {
		t.Error(out)
	}
	if u := w.again(google); u.LinkedTo != 0 || !u.Enabled || w.accounts("google_17") != "Google 17" {
		t.Fatalf("unlinked: %+v, %q", u, w.accounts("google_17"))
	}
	if found, err := w.api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &w.pool.PoolID, Username: aws.String("google_17")}); err != nil || !found.Enabled {
		t.Fatalf("the pool has disabled the user: %v", err)
	}
	w.users(0, "merge", "--from", fmt.Sprint(google.ID), "--into", "alice", "--yes")
	w.merge(0, google, alice, "--yes")
	if w.accounts("alice") != "Google 17" || w.accounts("google_17") != "nobody" || w.again(google).Person() != alice.ID {
		t.Errorf("alice has %q, row %+v", w.accounts("alice"), w.again(google))
	}
}

// TestS679_WhatThePoolCannotDo: what the pool would refuse, or what would let somebody in who must
// not, is refused before anything is deleted.
func TestS679_WhatThePoolCannotDo(t *testing.T) {
	w := newLinkable(t)
	must := func(_ any, err error) {
		t.Helper()
		w.ok(err)
	}
	seed := func(name, status string, disabled bool) {
		t.Helper()
		w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{Username: name, Password: codegranttest.Password, Status: status, Disabled: disabled}))
	}
	for _, id := range []string{"17", "18", "19", "20", "21", "22"} {
		w.google(id)
	}
	w.ok(w.pool.DisableUser(w.pool.PoolID, "google_18"))
	seed("off", "", true)
	seed("new", "UNCONFIRMED", false)
	seed("many", "", false)
	seed("fixed", "", false)
	seed("holder", "", false)
	seed("heir", "", false)
	for n := range 5 {
		w.ok(w.link("many", fmt.Sprint("m-", n)))
	}
	w.ok(w.link("holder", "h-1"))
	must(w.api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: &w.pool.PoolID, CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("born"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(false)}}}))
	w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{Username: "born", Password: codegranttest.Password, Attributes: map[string]string{"custom:born": "1990"}}))
	w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{Username: "other_1", Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{
		"identities": `[{"userId":"1","providerName":"Other","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":1}]`}}))
	w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{Username: "google_two", Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{
		"identities": `[{"userId":"two","providerName":"Google","primary":true,"dateCreated":1},{"userId":"three","providerName":"Google","primary":false,"dateCreated":1}]`}}))
	w.sync()

	link := func(from, into replica.User) {
		t.Helper()
		must(w.o.Users.Merge(t.Context(), from.ID, into.ID, "a test"))
	}
	apply := func(issuer, subject, username string) replica.User {
		t.Helper()
		c, err := w.o.Users.Apply(t.Context(), replica.Snapshot{Issuer: issuer, Subject: subject, Username: username, At: time.Now()})
		w.ok(err)
		return c.User
	}
	const elsewhere = "https://elsewhere.example.com/eu-west-1_Else12345"
	// An account that has signed in again since its user was deleted.
	back := w.row("google_21")
	w.ok(w.pool.DeleteUser(w.pool.PoolID, "google_21"))
	w.google("21")
	// People of two users of the pool's own, of two pools, and two whom the pool does not let in.
	link(w.row("heir"), w.row("bob"))
	link(w.row("google_22"), w.row("bob"))
	link(apply(elsewhere, "e", "e"), w.row("google_20"))
	link(w.row("google_19"), w.row("off"))
	held := apply(w.o.Issuer, "h", "google_h-1")
	link(held, w.row("holder"))
	w.ok(w.pool.DisableUser(w.pool.PoolID, "holder"))

	google, alice := w.row("google_17"), w.row("alice")
	at := func(u replica.User) string { return fmt.Sprint(u.ID) }
	into := func(from, into replica.User) []string {
		return []string{"merge", "--from", at(from), "--into", at(into)}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{into(alice, w.row("fixed")), "is a user of the pool's own, and the pool"},
		{into(google, w.row("google_20")), "has no user of its own for person"},
		{into(google, w.row("google_22")), "several users of the pool's own"},
		{into(w.row("google_18"), alice), "linked, they could sign in again"},
		{into(google, w.row("off")), "nobody could sign in"},
		{into(google, w.row("new")), "has not confirmed the sign-up"},
		{into(google, w.row("many")), "a pool links at most 5"},
		{into(google, apply(elsewhere, "f", "f")), "of different pools"},
		{into(w.row("google_20"), alice), "of different pools"},
		{into(google, google), "both names are of row"},
		{[]string{"merge", "--verified-email"}, "name the people one by one"},
		{into(google, w.row("born")), "has the attribute custom:born"},
		{into(w.row("other_1"), alice), "no longer has the provider Other"},
		{into(w.row("google_two"), alice), "has 2 accounts"},
		{into(back, alice), "has another user google_21 now"},
		{into(apply(w.o.Issuer, "s", "google_99"), alice), "the replica does not know their account"},
		{[]string{"unlink", at(w.row("heir"))}, "is a user of the pool's own, whom the pool"},
		{[]string{"unlink", at(held)}, "unlinked, the account could sign in as somebody new"},
	} {
		before := w.everything()
		for _, more := range [][]string{{"--at-pool"}, {"--at-pool", "--yes"}} {
			if _, fault := w.users(1, append(slices.Clone(tt.args), more...)...); !strings.Contains(fault, tt.want) {
				t.Errorf("%v: %s, and not %s", tt.args, fault, tt.want)
			}
		}
		if after := w.everything(); after != before {
			t.Fatalf("%v: something was done:\n%s\nbefore:\n%s", tt.args, after, before)
		}
	}
	// Of several users, the one who is named stays.
	w.merge(0, google, w.row("heir"), "--yes")
	if w.accounts("heir") != "Google 17" || w.again(google).Person() != w.row("bob").ID {
		t.Errorf("heir has %q, row %+v", w.accounts("heir"), w.again(google))
	}
}

// TestS679_CutOffAtEveryCall: whichever call a run is cut off at, before the pool has done it or
// after, the replica is as it was until the pool has linked the account, and the next run ends the
// same.
func TestS679_CutOffAtEveryCall(t *testing.T) {
	w := newLinkable(t)
	cut, rows := int64(0), make(map[string]replica.User)
	cutAt := ""
	last := func(call string) bool {
		if w.asked.Load() != cut {
			return false
		}
		cutAt = call
		return true
	}
	for n := 0; ; n++ {
		cut++
		var calls int64
		for _, lost := range []bool{false, true} {
			if lost && cutAt != "AdminDeleteUser" && cutAt != "AdminLinkProviderForUser" {
				continue // nothing is done by a question whose answer is lost
			}
			name, id := fmt.Sprintf("user-%d-%v", n, lost), fmt.Sprintf("A%d%v", n, lost)
			w.ok(w.pool.CreateUser(w.pool.PoolID, localpool.UserSeed{Username: name, Password: codegranttest.Password}))
			w.google(id, "buyers")
			w.sync()
			stays, google := w.row(name), w.row("google_"+strings.ToLower(id))
			rows[name] = google
			args := []string{"users", "merge", "--at-pool", "--yes", "--from", fmt.Sprint(google.ID), "--into", fmt.Sprint(stays.ID), "--config", w.config}
			w.refuse, w.lose = last, nil
			if lost {
				w.refuse, w.lose = nil, last
			}
			w.asked.Store(0)
			cutAt = ""
			_, fault, status := say(t, args...)
			calls = w.asked.Load()
			w.refuse, w.lose = nil, nil
			if u := w.again(google); status != 0 && fmt.Sprintf("%+v", u) != fmt.Sprintf("%+v", google) {
				t.Fatalf("call %d, lost %v: %s\nthe row is %+v\nand was     %+v", cut, lost, fault, u, google)
			}
			if u := w.again(google); status == 0 && (u.Person() != stays.ID || w.accounts(name) != "Google "+id) {
				t.Fatalf("call %d, lost %v: done, and %q is linked, %+v", cut, lost, w.accounts(name), u)
			}
			if _, fault, status = say(t, args...); status != 0 {
				t.Fatalf("call %d, lost %v, again: %s", cut, lost, fault)
			}
			if u := w.again(google); u.Person() != stays.ID || u.Enabled || w.accounts(name) != "Google "+id || w.accounts("google_"+strings.ToLower(id)) != "nobody" {
				t.Fatalf("call %d, lost %v, again: %q is linked, %+v", cut, lost, w.accounts(name), u)
			}
		}
		if calls < cut {
			break
		}
	}
	if cut < 8 {
		t.Errorf("cut off at %d calls only", cut-1)
	}
	// And the reverse.
	for n := 0; ; n++ {
		cut = int64(n + 1)
		name := fmt.Sprintf("user-%d-false", n)
		google := rows[name]
		args := []string{"users", "unlink", fmt.Sprint(google.ID), "--at-pool", "--yes", "--config", w.config}
		w.lose = last
		w.asked.Store(0)
		_, fault, status := say(t, args...)
		calls := w.asked.Load()
		w.lose = nil
		if u := w.again(google); (u.LinkedTo == 0) != (status == 0) {
			t.Fatalf("unlink, call %d: status %d %s, %+v", cut, status, fault, u)
		}
		if status != 0 {
			w.users(0, args[1:len(args)-2]...)
		}
		if u := w.again(google); u.LinkedTo != 0 || w.accounts(name) != "" {
			t.Fatalf("unlink, call %d, again: %q is linked, %+v", cut, w.accounts(name), u)
		}
		if calls < cut {
			break
		}
	}
}

// TestS679_KilledBetweenPoolAndReplica: if the replica does not take the merge, the pool has done its
// part, and the next run does the rest.
func TestS679_KilledBetweenPoolAndReplica(t *testing.T) {
	w := newLinkable(t)
	w.google("17")
	w.sync()
	alice, google := w.row("alice"), w.row("google_17")
	exec := func(statement string) {
		t.Helper()
		_, err := w.o.DB.ExecContext(t.Context(), statement)
		w.ok(err)
	}
	exec("CREATE TRIGGER away BEFORE UPDATE OF linked_to ON codegrant_users BEGIN SELECT RAISE(ABORT, 'away'); END")
	if _, fault := w.merge(1, google, alice, "--yes"); !strings.Contains(fault, "the replica has not") || !strings.Contains(fault, "run the command again") {
		t.Errorf("it says %s", fault)
	}
	if fmt.Sprintf("%+v", w.again(google)) != fmt.Sprintf("%+v", google) || w.accounts("alice") != "Google 17" {
		t.Errorf("the row is %+v, alice has %q", w.again(google), w.accounts("alice"))
	}
	w.sync() // nor does a pass in between change how it ends
	exec("DROP TRIGGER away")
	w.merge(0, google, alice, "--yes")
	if u := w.again(google); u.Person() != alice.ID || w.accounts("alice") != "Google 17" || w.accounts("google_17") != "nobody" {
		t.Errorf("again: %+v, alice has %q", u, w.accounts("alice"))
	}

	exec("CREATE TRIGGER away BEFORE UPDATE OF linked_to ON codegrant_users BEGIN SELECT RAISE(ABORT, 'away'); END")
	w.users(1, "unlink", fmt.Sprint(google.ID), "--at-pool", "--yes")
	exec("DROP TRIGGER away")
	w.users(0, "unlink", fmt.Sprint(google.ID), "--at-pool", "--yes")
	if u := w.again(google); u.LinkedTo != 0 || w.accounts("alice") != "" {
		t.Errorf("unlinked: %+v, alice has %q", u, w.accounts("alice"))
	}
}

// TestS679_LinkedAlready: a pool that refuses to link again what is linked has done it.
func TestS679_LinkedAlready(t *testing.T) {
	w := newLinkable(t)
	w.google("17")
	w.sync()
	alice, google := w.row("alice"), w.row("google_17")
	w.kind, w.lose = "InvalidParameterException", func(call string) bool { return call == "AdminLinkProviderForUser" }
	w.merge(0, google, alice, "--yes")
	if w.accounts("alice") != "Google 17" || w.again(google).Person() != alice.ID {
		t.Errorf("alice has %q, row %+v", w.accounts("alice"), w.again(google))
	}
	w.google("18")
	w.sync()
	other := w.row("google_18")
	w.lose, w.refuse = nil, w.lose
	if _, fault := w.merge(1, other, alice, "--yes"); !strings.Contains(fault, "did not link the account at Google to alice") {
		t.Errorf("it says %s", fault)
	}
	if fmt.Sprintf("%+v", w.again(other)) != fmt.Sprintf("%+v", other) {
		t.Errorf("the row is %+v", w.again(other))
	}
}

// TestS679_KnownFromTokensAlone: a replica that has never heard from the pool itself of which account
// somebody is hears of it before the user is deleted: nobody could tell afterwards.
func TestS679_KnownFromTokensAlone(t *testing.T) {
	w := newLinkable(t)
	w.google("Mixed-17")
	c, err := w.o.Users.Apply(t.Context(), replica.Snapshot{Issuer: w.o.Issuer, Subject: w.sub("google_mixed-17"), Username: "google_mixed-17", SignIn: true, At: time.Now()})
	w.ok(err)
	known, err := w.o.Users.Apply(t.Context(), replica.Snapshot{Issuer: w.o.Issuer, Subject: w.sub("alice"), Username: "alice", SignIn: true, At: time.Now()})
	w.ok(err)

	w.refuse = func(call string) bool { return call == "AdminLinkProviderForUser" }
	if _, fault := w.merge(1, c.User, known.User, "--yes"); !strings.Contains(fault, "run the command again") {
		t.Errorf("it says %s", fault)
	}
	w.refuse = nil
	if w.accounts("google_mixed-17") != "nobody" || w.again(c.User).LinkedTo != 0 {
		t.Fatal("the test has missed the moment in between")
	}
	if out, _ := w.merge(0, c.User, known.User); !strings.Contains(out, "the user google_mixed-17 is deleted already") {
		t.Errorf("the plan: %s", out)
	}
	w.merge(0, c.User, known.User, "--yes")
	if w.accounts("alice") != "Google Mixed-17" || w.again(c.User).Person() != known.User.ID {
		t.Errorf("alice has %q, row %+v", w.accounts("alice"), w.again(c.User))
	}
}

// TestS679_TwoOperators: two who link the same account at once leave it with one user; one of two
// who link it to different users is refused, and their replica is as it was.
func TestS679_TwoOperators(t *testing.T) {
	w := newLinkable(t)
	w.google("17")
	w.google("18")
	w.sync()
	alice, bob := w.row("alice"), w.row("bob")
	both := func(from replica.User, into ...replica.User) []int {
		statuses, faults := make([]int, len(into)), make([]string, len(into))
		var all sync.WaitGroup
		for i, u := range into {
			all.Go(func() {
				_, faults[i], statuses[i] = say(t, "users", "merge", "--at-pool", "--yes", "--from", fmt.Sprint(from.ID), "--into", fmt.Sprint(u.ID), "--config", w.config)
			})
		}
		all.Wait()
		t.Logf("%v %q", statuses, faults)
		return statuses
	}
	google := w.row("google_17")
	if got := both(google, alice, alice); got[0] != 0 || got[1] != 0 || w.accounts("alice") != "Google 17" || w.again(google).Person() != alice.ID {
		t.Errorf("the same: %v, %q, %+v", got, w.accounts("alice"), w.again(google))
	}
	google = w.row("google_18")
	got := both(google, alice, bob)
	winner, name := alice, "alice"
	if got[1] == 0 {
		winner, name = bob, "bob"
	}
	if got[0] == got[1] || !strings.Contains(w.accounts(name), "Google 18") || strings.Contains(w.accounts("alice"), "18") == strings.Contains(w.accounts("bob"), "18") || w.again(google).Person() != winner.ID {
		t.Errorf("different: %v, %q and %q, %+v", got, w.accounts("alice"), w.accounts("bob"), w.again(google))
	}
}
