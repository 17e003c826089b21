package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
)

// djangoProject has the tables that django.contrib.auth makes, and accounts by address.
func djangoProject(t *testing.T, addresses ...string) (url string, db *database) {
	t.Helper()
	url = "sqlite:" + filepath.Join(t.TempDir(), "django.db")
	db, err := openDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		`CREATE TABLE auth_group (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name varchar(150) NOT NULL UNIQUE)`,
		`CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL)`,
		`CREATE TABLE auth_user_groups (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id), UNIQUE (user_id, group_id))`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range addresses {
		username, email, ok := strings.Cut(address, "=")
		if !ok {
			username, email = address, address
		}
		if _, err := db.Exec(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('', FALSE, ?, '', '', ?, FALSE, TRUE, '2026-01-01 00:00:00')`, username, email); err != nil {
			t.Fatal(err)
		}
	}
	return url, db
}

func kindsOf(found []inTheWay) string {
	var kinds []string
	for _, f := range found {
		kinds = append(kinds, f.Kind+" "+fmt.Sprint(f.Accounts))
	}
	slices.Sort(kinds)
	return strings.Join(kinds, "; ")
}

// TestDoctorFindsWhoWouldSplit before the move: a row for each reason.
func TestDoctorFindsWhoWouldSplit(t *testing.T) {
	pool := healthy(t)
	seeded := map[string]string{"carol": "carol@example.com", "dave": "dave@example.com", "erin": "erin@example.com", "frank": "frank@example.com", "frank2": "frank@example.com", "grace": "grace@example.com"}
	for name, email := range seeded {
		pool.AddUser(name, email)
	}
	for _, name := range []string{"carol", "grace"} {
		if err := pool.SetAttributes(pool.PoolID, name, map[string]string{"email_verified": "false"}); err != nil {
			t.Fatal(err)
		}
	}
	url, db := djangoProject(t, "alice@example.com", "carol@example.com", "d1=dave@example.com", "d2=Dave@Example.com", "erin@example.com=else@example.com", "frank@example.com")
	everybody := func() []finding {
		findings, _ := examine(t, "--database", url, "--django", "--people")
		return slices.DeleteFunc(findings, func(f finding) bool { return f.Check != "people" && f.Check != "accounts" })
	}
	findings := everybody()
	var text strings.Builder
	for _, f := range findings {
		text.WriteString(string(f.Level) + " " + f.Check + ": " + f.Found + " → " + f.Mend + "\n")
	}
	for _, want := range []string{
		"the users 3, 4 of Django have one address",
		"has an address that is not verified, and user 2 of Django has it",
		"has an address that is not verified, and no account yet",
		"has the address of the users 3, 4 of Django",
		"needs the username of user 5 of Django",
		"shares a verified address with another person of the pool",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "alice") || strings.Contains(text.String(), "user 1 ") || len(findings) != 7 {
		t.Errorf("%d findings:\n%s", len(findings), text.String())
	}
	if left, err := db.names(t.Context(), "SELECT name FROM sqlite_master WHERE name LIKE 'codegrant%'"); err != nil || len(left) != 0 {
		t.Errorf("doctor made %q, %v", left, err)
	}
	if _, stderr, status := say(t, "doctor", "--people"); status == 0 || !strings.Contains(stderr, "--django") {
		t.Errorf("--people alone: %d, %s", status, stderr)
	}
}

// TestUsersDuplicatesAndRelink: after the move.
func TestUsersDuplicatesAndRelink(t *testing.T) {
	pool := healthy(t)
	issuer := pool.Clients()[0].Issuer
	url, db := djangoProject(t, "alice@example.com", "bob@example.com")
	if _, stderr, status := say(t, "migrate", "--database", url, "--django"); status != 0 {
		t.Fatalf("migrate: %d, %s", status, stderr)
	}
	users, err := db.users(settings.Replica{Django: true, Unverified: "apart"})
	if err != nil {
		t.Fatal(err)
	}
	person := replica.Snapshot{Issuer: issuer, Subject: "sub-of-alice", Email: "Alice@example.com", SignIn: true, At: time.Now()}
	twin, err := users.Apply(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	duplicates := func() (found []inTheWay, status int) {
		stdout, stderr, status := say(t, "users", "duplicates", "--database", url, "--json")
		var answer struct{ Duplicates []inTheWay }
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

// TestMigrateUndo leaves a database as it was before codegrant migrate --django.
func TestMigrateUndo(t *testing.T) {
	healthy(t)
	url, db := djangoProject(t, "alice@example.com")
	schema := func() string {
		t.Helper()
		names, err := db.names(t.Context(), "SELECT name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY name")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, "\n")
	}
	before := schema()
	if _, stderr, status := say(t, "migrate", "--database", url, "--django"); status != 0 {
		t.Fatalf("migrate: %d, %s", status, stderr)
	}
	users, err := db.users(settings.Replica{Django: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Apply(t.Context(), replica.Snapshot{
		Issuer: "i", Subject: "s", Email: "alice@example.com", EmailVerified: true, GroupsKnown: true, Groups: []replica.GroupRef{{Name: "g"}}, At: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	migrated := schema()
	stdout, _, status := say(t, "migrate", "--database", url, "--django", "--undo")
	if status != 0 || !strings.Contains(stdout, "Nothing is done yet") || schema() != migrated {
		t.Errorf("the plan: %d, %s", status, stdout)
	}
	if stdout, stderr, status := say(t, "migrate", "--database", url, "--django", "--undo", "--yes"); status != 0 {
		t.Errorf("--undo --yes: %d, %s%s", status, stdout, stderr)
	}
	if after := schema(); after != before {
		t.Errorf("left:\n%s\nwas:\n%s", after, before)
	}
	var accounts, groups int
	if err := db.QueryRow("SELECT (SELECT count(*) FROM auth_user), (SELECT count(*) FROM auth_user_groups)").Scan(&accounts, &groups); err != nil || accounts != 1 || groups != 1 {
		t.Errorf("%d accounts, %d memberships, %v", accounts, groups, err)
	}
	if stdout, _, status := say(t, "migrate", "--database", url, "--django", "--undo", "--yes"); status != 0 || !strings.Contains(stdout, "has nothing") {
		t.Errorf("a second time: %d, %s", status, stdout)
	}
	for _, args := range [][]string{{"--undo"}, {"--yes"}, {"--django", "--yes"}} {
		if _, stderr, status := say(t, append([]string{"migrate", "--database", url}, args...)...); status != 1 || !strings.Contains(stderr, "--undo goes with --django") {
			t.Errorf("%q: %d, %s", args, status, stderr)
		}
	}
	if _, stderr, status := say(t, "migrate", "--database", url, "--django"); status != 0 {
		t.Errorf("there again: %d, %s", status, stderr)
	}
}

// TestDoctorBesideThePackage: what a platform that moves has to know.
func TestDoctorBesideThePackage(t *testing.T) {
	pool := healthy(t)
	pool.Register("https://app.example.com")
	t.Setenv("SHARED_TOKENS", "True")
	t.Setenv("SHARED_TOKENS_DOMAIN", "example.com")
	t.Setenv("CODEGRANT_RETURN_ORIGINS", "https://www.example.com,https://trusted.example.com")
	t.Setenv("CODEGRANT_TRUSTED_ORIGINS", "https://trusted.example.com")
	t.Setenv("CODEGRANT_MIGRATION_LINKS", "true")
	said := func() string {
		findings, _ := examine(t)
		var text strings.Builder
		for _, f := range findings {
			text.WriteString(f.Check + ": " + f.Found + " → " + f.Mend + "\n")
		}
		return text.String()
	}
	text := said()
	for _, want := range []string{"rotation: ", "CODEGRANT_TRUSTED_ORIGINS", "https://www.example.com may be returned to", "sign-out: ", "https://app.example.com/auth/logout/"} {
		if !strings.Contains(text, want) {
			t.Errorf("doctor does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "https://trusted.example.com may") {
		t.Errorf("of an origin that is trusted:\n%s", text)
	}
	t.Setenv("CODEGRANT_SIGN_OUT_URLS", "https://app.example.com/auth/logout/")
	if text := said(); strings.Contains(text, "links of old front ends") {
		t.Error(text)
	}
}

// TestUndoKnowsEveryTable that migrate makes: one that a later version adds has to be
// listed.
func TestUndoKnowsEveryTable(t *testing.T) {
	url, db := djangoProject(t)
	if _, stderr, status := say(t, "migrate", "--database", url, "--django"); status != 0 {
		t.Fatalf("migrate: %d, %s", status, stderr)
	}
	made, err := db.names(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'codegrant%'")
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Sorted(slices.Values(tablesBesideDjango))
	if slices.Sort(made); !slices.Equal(made, known) {
		t.Errorf("migrate makes\n%q, undo knows\n%q", made, known)
	}
}

// TestMigrateUndoOnPostgreSQL: functions and triggers go, too; and Django's flush, which
// truncates, works while they are there.
func TestMigrateUndoOnPostgreSQL(t *testing.T) {
	server := testenv.Postgres(t)
	admin, err := openDatabase(server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := fmt.Sprintf("undo_%d", time.Now().UnixNano())
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin, err := openDatabase(server)
		if err == nil {
			_, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
			_ = admin.Close()
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	db, err := openDatabase(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE TABLE auth_group (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name varchar(150) NOT NULL UNIQUE)`,
		`CREATE TABLE auth_user (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined timestamptz NOT NULL, first_name varchar(150) NOT NULL)`,
		`CREATE TABLE auth_user_groups (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id), UNIQUE (user_id, group_id))`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	everything := func() string {
		t.Helper()
		names, err := db.names(t.Context(), `SELECT relkind::text || ' ' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public'
			UNION ALL SELECT 'function ' || proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname = 'public'
			UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT 'constraint ' || conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE nspname = 'public' ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, "\n")
	}
	before := everything()
	if _, stderr, status := say(t, "migrate", "--database", u.String(), "--django"); status != 0 {
		t.Fatalf("migrate: %d, %s", status, stderr)
	}
	users, err := db.users(settings.Replica{Django: true})
	if err != nil {
		t.Fatal(err)
	}
	person := replica.Snapshot{
		Issuer: "i", Subject: "s", Email: "alice@example.com", EmailVerified: true, GroupsKnown: true, Groups: []replica.GroupRef{{Name: "g"}}, At: time.Now(),
	}
	for range 2 {
		if _, err := users.Apply(t.Context(), person); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("TRUNCATE auth_user_groups, auth_group, auth_user RESTART IDENTITY"); err != nil {
			t.Fatalf("as flush does: %v", err)
		}
		var left int
		if err := db.QueryRow("SELECT (SELECT count(*) FROM codegrant_users) + (SELECT count(*) FROM codegrant_groups) + (SELECT count(*) FROM codegrant_memberships)").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
	}
	if stdout, stderr, status := say(t, "migrate", "--database", u.String(), "--django", "--undo", "--yes"); status != 0 {
		t.Errorf("--undo --yes: %d, %s%s", status, stdout, stderr)
	}
	if after := everything(); after != before {
		t.Errorf("left:\n%s\nwas:\n%s", after, before)
	}
}
