package gateway

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/peopletest"
)

// TestS657_NamesOfEveryKind reach headers, assertion, JSON and Claim as the pool has them, and
// the replica as it has every text: each is let in, at the sign-in and at a refresh.
func TestS657_NamesOfEveryKind(t *testing.T) {
	d := newDoor(t)
	for _, tt := range []struct{ name, stored string }{
		{"Zoë Müller", "Zoë Müller"}, {"Zoë\nMüller", "Zoë Müller"}, {"Zoë\r\nMüller", "Zoë Müller"}, {"Zoë\tMüller", "Zoë Müller"}, {"Zoë\u0085Müller", "Zoë Müller"},
		{"\u0085", ""}, {"\x00", ""}, {"a\x00b", "a b"}, {"\x1b[31mred\x1b[0m", "[31mred [0m"}, {"a\x7f\x7fb", "a b"}, {"a\u0080\u009fb", "a b"}, {"\n\n a \n", " a "},
		{"a\vb\fc", "a b c"}, {"a\u2028b\u2029c", "a\u2028b\u2029c"}, {"\u202eevil\u202c", "\u202eevil\u202c"}, {"a\u200b\u200db", "a\u200b\u200db"}, {"\ufeffa", "\ufeffa"}, {"\ufffd\uffff", "\ufffd\uffff"},
		{"%0A%0d", "%0A%0d"}, {"a: b\r\nX-Auth-Groups: admins", "a: b X-Auth-Groups: admins"}, {`<b>"&'</b>`, `<b>"&'</b>`}, {"", ""}, {" ", " "}, {"  a  ", "  a  "}, {"a,b;c=d", "a,b;c=d"},
		{strings.Repeat("\n", 2048), ""}, {strings.Repeat("a\n", 1024), strings.TrimSuffix(strings.Repeat("a ", 1024), " ")}, {strings.Repeat("组", 682), strings.Repeat("组", 682)},
		{"𝄞\U0010FFFF", "𝄞\U0010FFFF"}, {"e\u0301", "e\u0301"}, {"ﬁ", "ﬁ"}, {"\u200e\u200f", "\u200e\u200f"}, {"👩‍🚀🇧🇪", "👩‍🚀🇧🇪"},
	} {
		maker := peopletest.New(uint64(len(tt.name)) + 9)
		p := maker.Next()
		p.Groups = []string{"admins", "ops,eu"}
		for _, attribute := range []string{"name", "given_name", "family_name"} {
			p.Attributes[attribute] = tt.name
		}
		cookies, code := d.signIn(p)
		same := func(when string) {
			t.Helper()
			if d.check(p, cookies) {
				t.Errorf("%s, %.60q: refused", when, tt.name)
			}
			if u := d.users.users[p.Subject]; u.Name != tt.stored || u.GivenName != tt.stored || u.FamilyName != tt.stored {
				t.Errorf("%s, %.60q is %.60q, %.60q, %.60q in the replica, want %.60q", when, tt.name, u.Name, u.GivenName, u.FamilyName, tt.stored)
			}
		}
		same("signed in")
		p.Groups = []string{"editors"}
		d.pool.Says(code, "", p)
		d.now.Add(61 * 60 * 1e9)
		same("refreshed")
	}
}
