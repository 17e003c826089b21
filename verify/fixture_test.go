package verify

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"
)

const (
	testIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	testClient = "1example23456789"
)

var testNow = time.Unix(1_800_000_000, 0)

// testKeys are the two keys of a pool: one signs ID tokens, the other access
// tokens. A third belongs to somebody else.
var testKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

const (
	idKeyID     = "1dK3y+1d/for+1D+tokens+wh1ch+Cognito+pads+th1s+way="
	accessKeyID = "4cc3ssK3y+1d/for+4ccess+tokens+wh1ch+it+pads+too+="
)

// staticKeys is a key set that does not change.
type staticKeys map[string]*rsa.PublicKey

func (k staticKeys) Key(_ context.Context, keyID string) (*rsa.PublicKey, error) {
	if key, ok := k[keyID]; ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

func poolKeys() staticKeys {
	return staticKeys{idKeyID: &testKeys()[0].PublicKey, accessKeyID: &testKeys()[1].PublicKey}
}

func testVerifier(tb testing.TB, change func(*Config)) *Verifier {
	tb.Helper()
	config := Config{
		Issuer: testIssuer, ClientIDs: []string{testClient},
		Keys: poolKeys(),
		Now:  func() time.Time { return testNow },
	}
	if change != nil {
		change(&config)
	}
	v, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

type object map[string]any

// idClaims are those of a person who signed in through Google.
func idClaims() object {
	return object{
		"iss": testIssuer, "sub": "a1b2c3d4-0001", "aud": testClient, "token_use": "id",
		"exp": testNow.Unix() + 3600, "iat": testNow.Unix(), "auth_time": testNow.Unix() - 60,
		"jti": "j-1", "origin_jti": "o-1", "event_id": "e-1", "nonce": "n-1", "cognito:username": "google_1", "cognito:groups": []string{"admins", "analysts"},
		"cognito:roles": []string{"arn:aws:iam::1:role/a"}, "cognito:preferred_role": "arn:aws:iam::1:role/a",
		"email": "alice@example.com", "email_verified": true, "phone_number": "+3212345678", "phone_number_verified": false,
		"name": "Alice Doe", "given_name": "Alice", "family_name": "Doe", "preferred_username": "ally", "locale": "nl", "picture": "https://example.com/a.png",
		"acr": "urn:cognito:loa:2", "amr": []string{"pwd", "mfa"}, "custom:team": "blue",
		"identities": []object{{
			"userId": "1", "providerName": "Google", "providerType": "Google", "issuer": nil, "primary": "true", "dateCreated": "1642699117273",
		}},
	}
}

func accessClaims() object {
	return object{
		"iss": testIssuer, "sub": "a1b2c3d4-0001", "client_id": testClient, "token_use": "access", "scope": "openid orders/read", "version": 2,
		"exp": testNow.Unix() + 3600, "iat": testNow.Unix(), "auth_time": testNow.Unix() - 60,
		"jti": "j-2", "origin_jti": "o-1", "event_id": "e-1", "username": "google_1", "cognito:groups": []string{"admins", "analysts"},
	}
}

// gone as a value takes a claim away.
type gone struct{}

func with(base, changes object) object {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == (gone{}) {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signRaw signs any header and payload.
func signRaw(tb testing.TB, key *rsa.PrivateKey, header, payload string) string {
	tb.Helper()
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return signed + "." + b64(signature)
}

// sign signs as the pool does: ID tokens with one key, access tokens with the other.
func sign(tb testing.TB, claims object) string {
	tb.Helper()
	return signRaw(tb, signingKey(claims), signingHeader(claims), string(marshal(tb, claims)))
}

func signingKey(claims object) *rsa.PrivateKey {
	if claims["token_use"] == useAccess {
		return testKeys()[1]
	}
	return testKeys()[0]
}

func signingHeader(claims object) string {
	if claims["token_use"] == useAccess {
		return fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, accessKeyID)
	}
	return fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, idKeyID)
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// verifyAs verifies a token by the use that its claims state.
func verifyAs(tb testing.TB, v *Verifier, claims object) (*Claims, error) {
	tb.Helper()
	if claims["token_use"] == useAccess {
		return v.AccessToken(tb.Context(), sign(tb, claims))
	}
	return v.IDToken(tb.Context(), sign(tb, claims), IDExpectations{})
}
