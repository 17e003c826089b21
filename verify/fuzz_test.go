package verify

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// FuzzToken: whatever comes, there are claims or a refusal, never both and never a
// panic; and what the parser takes apart is the one form of that token, which a
// JOSE library reads as the same.
func FuzzToken(f *testing.F) {
	for _, claims := range []object{idClaims(), accessClaims(), with(idClaims(), object{"exp": 0}), with(accessClaims(), object{"sub": 1})} {
		f.Add(sign(f, claims))
	}
	f.Add("e30.e30.e30")
	f.Add("..")
	f.Add(sign(f, idClaims()) + "=")
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{}`)) + ".AA")
	f.Add(b64([]byte(header(`,"crit":["b64"],"b64":false`))) + ".{}.AA")
	f.Add(b64([]byte(header(""))) + "." + b64([]byte(`{"sub":"a","ſub":"b"}`)) + ".AA")
	v := testVerifier(f, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		if c, err := v.IDToken(t.Context(), raw, IDExpectations{}); (c == nil) == (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("IDToken(%q) = %v, %v", raw, c, err)
		}
		if c, err := v.AccessToken(t.Context(), raw); (c == nil) == (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("AccessToken(%q) = %v, %v", raw, c, err)
		}
		tok, err := idToken.parse(raw)
		if err != nil {
			return
		}
		if i := strings.LastIndexByte(tok.signed, '.'); tok.signed[i+1:] != b64([]byte(tok.payload)) || raw[len(tok.signed)+1:] != b64(tok.signature) {
			t.Errorf("parse(%q) accepts another form", raw)
		}
		other, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatalf("parse(%q) accepts what go-jose refuses: %v", raw, err)
		}
		if string(other.UnsafePayloadWithoutVerification()) != tok.payload || other.Signatures[0].Protected.KeyID != tok.keyID {
			t.Errorf("parse(%q) = %q with key %q, go-jose reads %q with key %q", raw, tok.payload, tok.keyID,
				other.UnsafePayloadWithoutVerification(), other.Signatures[0].Protected.KeyID)
		}
	})
}

// FuzzClaims: what a payload is taken to say is what encoding/json makes of it,
// which would be fooled by the names that are refused here.
func FuzzClaims(f *testing.F) {
	for _, claims := range []object{idClaims(), accessClaims(), {}, {"exp": json.RawMessage("1.5e9")}, {"aud": []string{"a", "b"}}, {"exp": json.RawMessage("1e300")}} {
		f.Add(string(marshal(f, claims)))
	}
	f.Add(`{"sub":"a","SUB":"b"}`)
	f.Add(`{"sub":"\ud83d\ude00\n","cognito:groups":["a","\u0062"]}`)
	f.Add(`{"identities":"[{\"userId\":\"1\"}]"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		d, err := decode(payload)
		if err != nil {
			if d != nil || !errors.Is(err, ErrInvalid) {
				t.Errorf("decode(%q) = %v, %v", payload, d, err)
			}
			return
		}
		var want struct {
			Issuer   string   `json:"iss"`
			Subject  string   `json:"sub"`
			ClientID string   `json:"client_id"`
			Use      string   `json:"token_use"`
			Username string   `json:"cognito:username"`
			Groups   []string `json:"cognito:groups"`
			Expires  float64  `json:"exp"`
			Nonce    string   `json:"nonce"`
		}
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			t.Fatalf("decode(%q) accepts what encoding/json refuses: %v", payload, err)
		}
		if d.Issuer != want.Issuer || d.Subject != want.Subject || d.clientID != want.ClientID || d.TokenUse != want.Use ||
			d.cognitoUsername != want.Username || !slices.Equal(d.Groups, want.Groups) || d.Nonce != want.Nonce {
			t.Errorf("decode(%q) = %#v, encoding/json reads %#v", payload, d, want)
		}
		if !d.ExpiresAt.IsZero() && d.ExpiresAt.Unix() != int64(want.Expires) || d.ExpiresAt.UTC().Year() > 9999 {
			t.Errorf("decode(%q) expires at %v, encoding/json reads %v", payload, d.ExpiresAt, want.Expires)
		}
	})
}

// FuzzKeySet: keys that will do, or an error, never both.
func FuzzKeySet(f *testing.F) {
	f.Add(jwks(idJWK(), accessJWK()))
	f.Add(jwks(idJWK(), jwk(idKeyID, testKeys()[1].N, 65537, "")))
	f.Add(jwks(jwk("a", testKeys()[0].N, 1, ""), jwk("b", testKeys()[0].N, 3, `,"key_ops":["verify"]`)))
	f.Add(`{"keys":[{}]}`)
	f.Add(`{"keys":[],"KEYS":[]}`)
	f.Add(`{"x":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}`)
	f.Add("\"\xff\\\"\",{\"a\":NaN}")
	good := jwk("good", testKeys()[0].N, 65537, "")
	f.Fuzz(func(t *testing.T, text string) {
		// Whatever stands within brackets that match costs no other entry.
		if _, err := keyEntries(jwks(text)); err == nil {
			if keys, err := parseKeySet([]byte(jwks(good, text, accessJWK()))); err != nil || keys["good"] == nil || keys[accessKeyID] == nil {
				t.Errorf("parseKeySet() with %q = %d keys, %v", text, len(keys), err)
			}
		}
		keys, err := parseKeySet([]byte(text))
		if (len(keys) == 0) == (err == nil) {
			t.Errorf("parseKeySet(%q) = %d keys, %v", text, len(keys), err)
		}
		for keyID, same := range keys {
			key := same[0]
			if keyID == "" || key.N.BitLen() < 2048 || key.E < 3 || key.E%2 == 0 {
				t.Errorf("parseKeySet(%q) keeps a bad key, %q", text, keyID)
			}
		}
	})
}
