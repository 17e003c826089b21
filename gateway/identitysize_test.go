package gateway

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/quotas"
)

// TestS510_IdentitiesAreCountedWithTheirAssertion: whatever characters somebody's texts
// have, what an upstream is told is within the bound, or they are refused.
func TestS510_IdentitiesAreCountedWithTheirAssertion(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	auth, _ := testAuth(t)
	g, err := New(Config{
		Tenants: []Tenant{{Auth: auth}}, Assertions: &Assertions{Keys: []ed25519.PrivateKey{key}, Issuer: "https://app.example.com"},
		Routes: []Route{{Name: "plain", Path: "/"}, {Name: "asserted", Path: "/asserted", Assertion: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text    string
		groups  int
		told    bool // without an assertion
		asserts bool // with one
	}{
		{"g", 100, true, true}, {"<", 100, true, true}, {"&", 100, true, true}, {`"`, 100, true, true}, {`\`, 100, true, true}, {"%", 100, true, true},
		{"\u2028", 100, false, false}, {"\x01", 40, true, true}, {"\x01", 61, true, false}, {"é", 57, true, true}, {"é", 61, true, false}, {"é", 71, true, false}, {"組", 30, true, true},
		{"組", 41, true, false}, {"組", 57, false, false}, {"組", 100, false, false}, {"𝄞", 20, true, true}, {"𝄞", 42, true, false}, {"𝄞", 43, false, false},
	} {
		id := &codegrant.Identity{Subject: "s", Username: "u"}
		for range tt.groups {
			id.Groups = append(id.Groups, strings.Repeat(tt.text, quotas.GroupNameCharacters))
		}
		for i := range g.table.routes {
			r := g.table.routes[i]
			want := tt.told
			if r.Assertion {
				want = tt.asserts
			}
			err := g.fits(id, r)
			if (err == nil) != want {
				t.Errorf("%d groups of %q at %s: %v", tt.groups, tt.text, r.Name, err)
			}
			h := make(http.Header)
			g.tell(h, id)
			if err := g.assert(h, r, id); err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, values := range h {
				size += len(values[0])
			}
			if err == nil && size > maxIdentity {
				t.Errorf("%d groups of %q at %s: %d bytes are sent", tt.groups, tt.text, r.Name, size)
			}
		}
	}
	if kept := len(g.signer.young) + len(g.signer.old); kept != 0 {
		t.Errorf("%d tokens of many kilobytes are kept", kept)
	}
}
