package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// TestDoctorFindsWhoWouldSplit before the move: a row for each reason.
func TestDoctorFindsWhoWouldSplit(t *testing.T) {
	pool := commandtest.Healthy(t)
	seeded := map[string]string{"carol": "carol@example.com", "dave": "dave@example.com", "erin": "erin@example.com", "frank": "frank@example.com", "frank2": "frank@example.com", "grace": "grace@example.com"}
	for name, email := range seeded {
		pool.AddUser(name, email)
	}
	for _, name := range []string{"carol", "grace"} {
		if err := pool.SetAttributes(pool.PoolID, name, map[string]string{"email_verified": "false"}); err != nil {
			t.Fatal(err)
		}
	}
	url, db := commandtest.DjangoProject(t, "alice@example.com", "carol@example.com", "d1=dave@example.com", "d2=Dave@Example.com", "erin@example.com=else@example.com", "frank@example.com")
	everybody := func() []finding {
		findings, _ := examine(t, "--database", url, "--django", "--people")
		return slices.DeleteFunc(findings, func(f finding) bool { return f.Check != "people" && f.Check != "accounts" })
	}
	findings := everybody()
	var text strings.Builder
	for _, f := range findings {
		text.WriteString(string(f.Level) + " " + f.Check + ": " + f.Found + " → " + f.Fix + "\n")
	}
	for _, want := range []string{
		"the users 3, 4 of Django have the same address",
		"has an unverified address, and user 2 of Django has the same address",
		"has an unverified address, and no account yet",
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
	if left, err := db.Names(t.Context(), "SELECT name FROM sqlite_master WHERE name LIKE 'codegrant%'"); err != nil || len(left) != 0 {
		t.Errorf("doctor made %q, %v", left, err)
	}
	if _, stderr, status := say(t, "doctor", "--people"); status == 0 || !strings.Contains(stderr, "--django") {
		t.Errorf("--people alone: %d, %s", status, stderr)
	}
}

// TestDoctorBesideThePackage: what a platform that moves has to know.
func TestDoctorBesideThePackage(t *testing.T) {
	pool := commandtest.Healthy(t)
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
			text.WriteString(f.Check + ": " + f.Found + " → " + f.Fix + "\n")
		}
		return text.String()
	}
	text := said()
	for _, want := range []string{"rotation: ", "CODEGRANT_TRUSTED_ORIGINS", "https://www.example.com (CODEGRANT_RETURN_ORIGINS) is a return origin", "sign-out: ", "https://app.example.com/auth/logout/"} {
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
