package verify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/quotas"
)

// TestS514_NamesOfCustomAttributes: a pool's owner may choose any, also two that differ in
// case alone; each attribute is read under its own.
func TestS514_NamesOfCustomAttributes(t *testing.T) {
	claims := object{}
	want := map[string]string{}
	for _, name := range []string{"team", "Team", "TEAM", "İd", "id", "ID", "ſub", "sub", "iss", "k", "\u212a", "a b", "a.b", "a:b", "custom:a", "日本", strings.Repeat("x", quotas.AttributeNameCharacters)} {
		claims["custom:"+name], want["custom:"+name] = "value of "+name, "value of "+name
	}
	c, err := verifyAs(t, testVerifier(t, nil), with(idClaims(), claims))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Custom) != len(want) || c.Subject != idClaims()["sub"] {
		t.Errorf("%d attributes of %s, want %d", len(c.Custom), c.Subject, len(want))
	}
	for name, value := range want {
		var got string
		if err := json.Unmarshal(c.Custom[name], &got); err != nil || got != value || c.Text(name) != value {
			t.Errorf("%s is %q, %v", name, c.Custom[name], err)
		}
	}
}
