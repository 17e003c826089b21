package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/webhook"
)

// tablesWith are the tables of an SQLite database in which a text is.
func tablesWith(t *testing.T, db *parts.Database, text string) (tables []string) {
	t.Helper()
	names, err := db.Names(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range names {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(fmt.Sprintf("%s", values), text) {
				tables = append(tables, table)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return tables
}

// TestS767_EraseByCommand: nothing is done without --yes, nor while a pool has the person;
// then they are gone from the pool and from every table, but for the mark that refuses
// their tokens, and a receipt says so.
func TestS767_EraseByCommand(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	dir := t.TempDir()
	config := filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
replica: {history: 24h, outbox: true}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), pool.PoolID, client.Issuer, pool.URL, client.ID, client.Secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	queue, err := webhook.NewQueue(o.DB.DB, o.DB.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.Users.Migrate(t.Context()), o.InDatabase.Migrate(t.Context()), queue.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	api, err := awsapi.Way{Endpoint: pool.URL}.Cognito(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: pool.PoolID, Client: api})
	if err != nil {
		t.Fatal(err)
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: client.Issuer, Replica: o.Users, Journal: directory.NewMemoryJournal()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sync.Run(t.Context(), directory.Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 { // a past, and changes that wait
		if _, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: alice.Subject, Name: fmt.Sprint("Name ", n), At: time.Now().Add(time.Duration(n) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	kind := cupboard.Kind{Name: "broker-grant", MaxRecords: 10, MaxOfPerson: 10, MaxBytes: 100}
	err = errors.Join(
		o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: alice.Subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}),
		o.Shelves.Put(t.Context(), kind, cupboard.Record{Key: cupboard.Key("a"), Person: alice.Subject, Value: []byte("x"), Until: now.Add(time.Hour)}),
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.DB.ExecContext(t.Context(), "INSERT INTO codegrant_webhooks (endpoint, person, message, type, issuer, subject, body, created, attempts, due, held_until, claim, failure, died) "+
		"VALUES ('crm', 'p', 'msg_1', 'user.updated', ?, ?, '{}', 1, 0, 1, 0, '', '', 0)", o.Issuer, alice.Subject)
	if err != nil {
		t.Fatal(err)
	}
	key, err := webhook.ParseSecret(webhook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	hear := []webhook.Endpoint{{Name: "crm", URL: "https://crm.example.com/", Secrets: []webhook.Secret{key}, Events: []string{webhook.Organizations}}}
	orgs, err := o.DB.OrganizationStore(nil, func() []webhook.Endpoint { return hear })
	if err != nil {
		t.Fatal(err)
	}
	if err := orgs.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	acme, err := orgs.Create(t.Context(), "Acme", "a test")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := orgs.Invite(t.Context(), acme.ID, "Alice@example.com", "member", "a test"); err != nil {
		t.Fatal(err)
	}
	if err := orgs.Set(t.Context(), acme.ID, alice.ID, "admin", "a test"); err != nil {
		t.Fatal(err)
	}
	bob, err := o.Users.UserByUsername(t.Context(), o.Issuer, "bob")
	if err == nil {
		err = orgs.Set(t.Context(), acme.ID, bob.ID, "member", "a test")
	}
	if err == nil { // one was given up
		_, err = o.DB.ExecContext(t.Context(), "UPDATE codegrant_webhooks SET died = 1 WHERE type = 'organization.member_added' AND body LIKE ?", fmt.Sprintf("%%\"person\":%d,%%", alice.ID))
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := say(t, append(append([]string{"users"}, args...), "--config", config)...)
		if status != want {
			t.Fatalf("users %v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout, stderr
	}
	before := strings.Join(tablesWith(t, o.DB, alice.Subject), " ")
	for _, table := range []string{"codegrant_users", "codegrant_history", "codegrant_outbox", "codegrant_webhooks", "codegrant_sessions", "codegrant_cupboard"} {
		if !strings.Contains(before, table) {
			t.Fatalf("%s has nothing of alice to begin with: %s", table, before)
		}
	}
	if _, fault := run(1, "erase", "alice"); !strings.Contains(fault, "--at-pool") {
		t.Errorf("a pool has her: %s", fault)
	}
	if _, fault := run(1, "erase", "alice", "--yes"); !strings.Contains(fault, "--at-pool") {
		t.Errorf("a pool has her: %s", fault)
	}
	if out, _ := run(0, "erase", "alice", "--at-pool"); !strings.Contains(out, "--yes") {
		t.Errorf("without --yes: %s", out)
	}
	if after := strings.Join(tablesWith(t, o.DB, alice.Subject), " "); after != before {
		t.Fatalf("something was done: %s, and not %s", after, before)
	}
	if _, err := source.User(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}

	out, audit := run(0, "erase", "alice", "--at-pool", "--yes")
	if tables := tablesWith(t, o.DB, "alice@example.com"); len(tables) > 0 {
		t.Errorf("her address is in %v", tables)
	}
	if members, err := orgs.Members(t.Context(), acme.ID, 0); err != nil || len(members) != 1 {
		t.Errorf("members: %+v, %v", members, err)
	}
	var rows int
	if err := o.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM codegrant_organization_members").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d memberships are left, %v", rows, err)
	}
	if _, err := source.User(t.Context(), alice.Subject); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("the pool has her: %v", err)
	}
	for table := range strings.FieldsSeq(strings.Join(tablesWith(t, o.DB, alice.Subject), " ")) {
		if table != "codegrant_cupboard" {
			t.Errorf("%s has her", table)
		}
	}
	var others int
	if err := o.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM codegrant_cupboard WHERE person = ? AND kind <> 'not-before'", alice.Subject).Scan(&others); err != nil || others != 0 {
		t.Errorf("%d records of hers that are no marks, %v", others, err)
	}
	if at, err := o.Marks.NotBefore(t.Context(), o.Issuer, alice.Subject); err != nil || at.Before(now.Add(-time.Second)) {
		t.Errorf("her tokens are not refused: %v, %v", at, err)
	}
	for _, text := range []string{out, audit} {
		for _, trace := range []string{"alice", alice.Subject} {
			if strings.Contains(text, trace) {
				t.Errorf("the receipt, or the log, has %s: %s", trace, text)
			}
		}
	}
	if !strings.Contains(audit, `"event":"erased"`) || !strings.Contains(out, "messages: 2") || !strings.Contains(out, "entries of the history: 2") {
		t.Errorf("%s%s", out, audit)
	}
	if out, _ := run(0, "erasures"); !strings.Contains(out, "operator ") || strings.Contains(out, "alice") {
		t.Errorf("receipts: %s", out)
	}
	if out, _ := run(0, "erasures", "--json"); !strings.Contains(out, `"messages": 2`) {
		t.Errorf("receipts: %s", out)
	}
	if _, fault := run(1, "erase", "alice", "--at-pool", "--yes"); !strings.Contains(fault, "the replica has nobody") {
		t.Errorf("a second time: %s", fault)
	}
	if _, err := o.Users.UserByUsername(t.Context(), o.Issuer, "bob"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// TestS823_AnIdentityThatCameMeanwhile: an erasure that does not know all identities of the
// person removes none in the database: the pool still has the one that it does not know.
func TestS823_AnIdentityThatCameMeanwhile(t *testing.T) {
	config := commandtest.Stores(t)
	o := withHistory(t, config)
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: "again", Username: "alice2", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Users.Merge(t.Context(), again.User.ID, alice.ID, "me"); err != nil {
		t.Fatal(err)
	}
	l, err := openLinks(t.Context(), parts.Inspection{Config: config}, commandtest.Streams(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.erase(t.Context(), commandtest.Streams(t), []replica.User{alice}); !errors.Is(err, errNewIdentity) {
		t.Errorf("erased without the new identity: %v", err)
	}
	identities, err := o.Users.Identities(t.Context(), alice.ID)
	if err != nil || len(identities) != 2 {
		t.Fatalf("there are %v, %v", identities, err)
	}
	if err := l.erase(t.Context(), commandtest.Streams(t), identities); err != nil {
		t.Error(err)
	}
	if left, err := o.Users.Identities(t.Context(), alice.ID); err == nil && len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestS767_EraseGoesOn: whatever an erasure that was killed has done already, the next does
// the rest.
func TestS767_EraseGoesOn(t *testing.T) {
	config := commandtest.Stores(t)
	o := withHistory(t, config)
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLinks(t.Context(), parts.Inspection{Config: config}, commandtest.Streams(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	killed := errors.New("killed")
	ctx, kill := context.WithCancelCause(t.Context())
	kill(killed)
	// Before the first step, after the sessions, and within the transaction.
	if err := l.erase(ctx, commandtest.Streams(t), []replica.User{alice}); !errors.Is(err, killed) && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := l.signOut(t.Context(), []replica.User{alice}); err != nil {
		t.Fatal(err)
	}
	tx, err := o.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.eraseWithin(t.Context(), tx, []replica.User{alice}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if u, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice"); err != nil || u.ID != alice.ID {
		t.Fatalf("half erased: %+v, %v", u, err)
	}
	if err := l.erase(t.Context(), commandtest.Streams(t), []replica.User{alice}); err != nil {
		t.Fatal(err)
	}
	if tables := slices.Concat(tablesWith(t, o.DB, alice.Subject), tablesWith(t, o.DB, alice.Email)); len(tables) != 1 || tables[0] != "codegrant_cupboard" { // the mark
		t.Errorf("left in %v", tables)
	}
}
