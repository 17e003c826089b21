package exchange

import (
	"encoding/base64"
	"testing"

	"github.com/codegrant/codegrant"
)

// FuzzS704_Answers: whatever a pool answers with is of the person and for the service, or
// is not handed on.
func FuzzS704_Answers(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"https://pool","sub":"alice","aud":"https://orders.example.com"}`, `{"iss":"https://pool","sub":"alice","aud":["https://orders.example.com"]}`,
		`{"iss":"https://pool","sub":"alice","aud":["https://orders.example.com","x"],"act":{"sub":"agent-1"}}`, `{"aud":{}}`, `{"act":[]}`, `[]`, ``, `{"aud":null,"act":null}`,
		`{"iss":"https://pool","sub":"alice","aud":"https://orders.example.com","act":{"sub":"g","act":{"iss":"https://pool","sub":"agent-1"}}}`,
	} {
		f.Add(payload, true)
		f.Add(payload, false)
	}
	f.Fuzz(func(t *testing.T, payload string, acted bool) {
		id := &codegrant.Identity{Issuer: "https://pool", Subject: "alice"}
		if acted {
			id.Actor = &codegrant.Actor{Subject: "agent-1"}
		}
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".AAAA"
		if fits(token, id, want{audience: "https://orders.example.com"}) != nil {
			return
		}
		c, err := read(token)
		if err != nil || c.Issuer != id.Issuer || c.Subject != "alice" || len(c.audiences()) != 1 || c.audiences()[0] != "https://orders.example.com" || acted && c.Actor == nil {
			t.Errorf("%s is taken", payload)
		}
	})
}
