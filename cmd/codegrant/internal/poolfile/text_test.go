package poolfile

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestS648_NoSecretIsRead: a file with a secret is refused, and nothing says the secret.
func TestS648_NoSecretIsRead(t *testing.T) {
	for _, text := range []string{
		"identity_providers: {Corp: {ProviderDetails: {client_secret: s3cret}}}",
		"identity_providers: {Corp: {ProviderDetails: {private_key: s3cret}}}",
		"identity_providers: {Corp: {providerdetails: {Client_Secret: s3cret}}}",
		"identity_providers: {Corp: {client_secret: s3cret}}",
		"clients: {web: {ClientSecret: s3cret}}",
		"clients: {web: {Settings: [{ClientSecret: s3cret}]}}",
		"identity_providers: {Corp: {ProviderDetails: [[{client_secret: s3cret}]]}}",
	} {
		_, err := parse([]byte("pool: {}\n" + text + "\n"))
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"identity_providers: {Corp: {ProviderDetails: {client_secret: s3cret}}\n":                                "not YAML: line 2, column 21: ",
		"identity_providers:\n  Corp:\n    ProviderDetails:\n      client_secret: s3cret\n\tx: 1\n":              "not YAML: line 6, column ",
		"clients: {web: {ClientSecret: s3cret, ClientSecret: s3cret}}\n":                                         "not YAML: line 2, column 39: ",
		"clients:\n  web:\n    ClientSecret: *s3cret\n":                                                          "not YAML: line 4, column ",
		"clients:\n  web:\n    ClientSecret: !!bool s3cret\n":                                                    "not YAML: line 4, column ",
		"clients:\n  web:\n    ClientSecret: \"s3cret\n":                                                         "not YAML: line 4, column ",
		"clients:\n  web:\n    ClientSecret: @s3cret\n":                                                          "not YAML: line 4, column ",
		"identity_providers: {Corp: s3cret}\n":                                                                   "not a configuration of a pool",
		"client_secret: s3cret\n":                                                                                "not a configuration of a pool",
		"identity_providers: {Corp: {ProviderDetails: {client_secret: s3cret}}}\n--- {client_secret: s3cret}\n]": "not YAML: line ",
	} {
		if _, err := parse([]byte("pool: {}\n" + text)); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestExportIsReadAsItWas: whatever a pool's texts are.
func TestExportIsReadAsItWas(t *testing.T) {
	words := []string{"null", "true", "no", "~", "007", "0x1F", "1_000", "1e3", ".5", "2026-01-02", "12:30", "<<", "=", "- a", "a: b", "a #b", "#b", " lead", "trail ", "a\nb", "a\nb\n", "\na", "a\r\nb", "a\r\nb\r\n", "\ta", "a\tb",
		"a\n\n\nb", "  a\n b", "a \nb", "'", "\"", "\\", "\\n", "{", "[", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "?", "? a", "-", ":", "...", "---", "é", "\u2028", "\u0085", "😀", "<p>\n  Your code is {####}\n</p>\n", "a\n---\nb",
		"a\n# b", "# a\nb", "0o17", "+1", ".inf", ".nan", "a,b", "a}", "\u00a0", "\ufeffa", "a\x7fb", "a\x01b", "-\n", "'a'", "a'b", "a\"b", " ", "\n", "\t", "Your code\tis {####}", "<p>Hello</p>\r\n<p>Your code is {####}</p>",
		"<table>\n\t<tr>\n\t\t<td>{####}</td>\n\t</tr>\n</table>", "  <p>\n    {####}\n  </p>", "{####} is your code", "\t<p>\n\t{####}</p>"}
	try := func(f *File) string {
		t.Helper()
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := f.yaml()
		if err != nil {
			t.Errorf("%s: %v", want, err)
			return ""
		}
		back, err := parse(text)
		if err != nil {
			t.Errorf("%s is not read: %v\n%s", want, err, text)
			return ""
		}
		if got, _ := json.Marshal(back); string(got) != string(want) {
			t.Errorf("was %s\nis  %s\n%s", want, got, text)
		}
		return string(text)
	}
	for _, w := range words {
		for _, f := range []*File{
			{Pool: settings{"EmailVerificationMessage": w}},
			{Pool: settings{"L": []any{w, "x"}}},
			{Pool: settings{"M": settings{"inner": settings{"deep": w, "z": "z"}}}},
		} {
			if text := try(f); strings.HasPrefix(text, "{") && !strings.ContainsAny(w, "\x01\x7f") {
				t.Errorf("%q makes a file of JSON:\n%s", w, text)
			}
		}
		try(&File{Pool: settings{"Name": "p"}, Groups: map[string]settings{w: {"Description": "d"}}})
	}
	alphabet := []string{"a", "b", " ", "\n", ":", "-", "#", "'", "\"", "\r\n", "\t", "{", "<", "1"}
	for range 200 {
		var b strings.Builder
		for range 1 + rand.N(9) {
			b.WriteString(alphabet[rand.N(len(alphabet))])
		}
		try(&File{Pool: settings{"M": settings{"x": b.String(), "y": "y"}}})
	}
}
