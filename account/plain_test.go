package account

import (
	"strings"
	"testing"
	"unicode"
)

func TestPlainNumbersAndAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"+49 151 1234567": "+491511234567", "+1 (425) 555-0100": "+14255550100", "+49\u00a0151/1234.567": "+491511234567",
		"0151 1234567": "", "+49": "", "+49 151 12345678901234": "", "+49 151 abc": "", "": "", "+４９１５１１２３４５６７": "",
	} {
		if got, ok := plainNumber(in); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %t", in, got, ok)
		}
	}
	for in, want := range map[string]bool{
		"a@b.example": true, " a@b.example ": true, "a+b@b.example": true, "A <a@b.example>": false, "a@b.example, c@d.example": false, "a": false, "": false,
		`"a b"@c.example`: false, "a@b.example\r\nBcc: c@d.example": false, strings.Repeat("a", 250) + "@b.example": false,
	} {
		if got, ok := plainAddress(in); ok != want || ok && got != strings.TrimSpace(in) {
			t.Errorf("%q: %q, %t", in, got, ok)
		}
	}
}

// FuzzPlain: whatever is typed, what goes to the pool is one word.
func FuzzPlain(f *testing.F) {
	f.Add("a@b.example")
	f.Add("+49 151 1234567")
	f.Fuzz(func(t *testing.T, in string) {
		for _, plain := range []func(string) (string, bool){plainAddress, plainNumber} {
			got, ok := plain(in)
			if ok && (got == "" || len(got) > 254 || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })) {
				t.Errorf("%q became %q", in, got)
			}
		}
	})
}

// TestElsewhere: who was brought by an identity provider has no password at the pool; who is
// linked to one has.
func TestElsewhere(t *testing.T) {
	const google = `[{"userId":"1029384756","providerName":"Google","providerType":"Google","primary":"true"}]`
	for _, tt := range []struct{ username, identities, want string }{
		{"google_1029384756", google, "Google"}, {"Google_1029384756", google, "Google"}, {"alice", google, ""}, {"google_1", google, ""},
		{"alice", "", ""}, {"google_1029384756", "nonsense", ""}, {"_", `[{}]`, ""},
	} {
		u := user{Username: tt.username, UserAttributes: []struct{ Name, Value string }{{"identities", tt.identities}}}
		if got := u.elsewhere(); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.username, tt.identities, got, tt.want)
		}
	}
}
