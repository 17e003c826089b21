package organization

import (
	"strings"
	"testing"
)

// FuzzAddress: what is taken for an address is one, and goes into a mail as it is.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", "a b@example.com", "<a@b.c>", "a@b\r\nBcc: x@y.z", "\"a b\"@x.y", "A@B.C", "", "a@b,c@d", "a@b (x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := addressed(text)
		if err != nil {
			return
		}
		if again, err := addressed(address); err != nil || again != address {
			t.Errorf("%q is kept as %q, which is then %q, %v", text, address, again, err)
		}
		if strings.ContainsAny(address, " \t\r\n,;<>\"()\x00") || strings.Count(address, "@") != 1 || len(address) > 254 {
			t.Errorf("%q is kept as %q", text, address)
		}
	})
}
