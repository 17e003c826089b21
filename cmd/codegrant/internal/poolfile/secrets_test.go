package poolfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestS801_SecretsAreAsTheyAre: each provider gets its own secret, to the letter, or none.
func TestS801_SecretsAreAsTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	file := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(kinds map[string]string) *File {
		f := &File{Providers: make(map[string]settings)}
		for name, kind := range kinds {
			f.Providers[name] = settings{"ProviderType": kind}
		}
		return f
	}
	for text, refused := range map[string]bool{
		"s3cret": false, "2026-01-02": false, "no": false, "a#b": false, "0o8x": false, "1e3": false, "12345678901234567890123": false,
		"007": true, "1_000": true, "0x1F": true, "true": true, "null": true, "0o17": true, "1.50": true, "~": true, ".5": true, "+1": true, ".inf": true, "[s3cret]": true, "": true,
	} {
		for _, quotes := range []string{"", "'", `"`} {
			file("Google: " + quotes + text + quotes + "\n")
			found, missing, err := secretsFor(path, &File{}, want(map[string]string{"Google": "Google"}))
			switch {
			case quotes == "" && refused:
				if err == nil || !strings.Contains(err.Error(), "Google: write the secret in quotes") || len(text) > 2 && strings.Contains(err.Error(), text) {
					t.Errorf("%s: %v, %v", text, found, err)
				}
			case err != nil || found["Google"] != text || (len(missing) > 0) != (text == ""):
				t.Errorf("%s%s: taken as %q, missing %v, %v", quotes, text, found["Google"], missing, err)
			}
		}
	}
	file("007: s3cret\n")
	if found, _, err := secretsFor(path, &File{}, &File{}); err == nil {
		t.Errorf("a name that is a number: %v", found)
	}

	// A variable that is two providers' is nobody's.
	t.Setenv("CODEGRANT_PROVIDER_SECRET_CORP_A", "s3cret-of-one")
	file("Corp-A: other\n")
	two := want(map[string]string{"Corp-A": "OIDC", "Corp.A": "OIDC"})
	for _, at := range []string{"", path} {
		found, missing, err := secretsFor(at, &File{}, two)
		if err != nil || found["Corp.A"] != "" || found["Corp-A"] == "s3cret-of-one" || len(missing) == 0 || missing[len(missing)-1].provider != "Corp.A" || !strings.Contains(missing[0].remedy, "another provider") {
			t.Errorf("%q: found %v, missing %v, %v", at, found, missing, err)
		}
	}
	if found, missing, err := secretsFor("", want(map[string]string{"Corp-A": "OIDC"}), two); err != nil || len(missing) > 0 || found["Corp.A"] != "s3cret-of-one" {
		t.Errorf("the pool has the other: found %v, missing %v, %v", found, missing, err)
	}

	// Only OIDC can be without a secret, if somebody says so.
	file("Google: ''\nPublic: ''\n")
	found, missing, err := secretsFor(path, &File{}, want(map[string]string{"Google": "Google", "Public": "OIDC", "Corp": "OIDC"}))
	if _, said := found["Public"]; err != nil || !said || len(missing) != 2 || missing[0].provider != "Corp" || missing[1].provider != "Google" {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}
