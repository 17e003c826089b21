package verify

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	testClient = "client1"
)

var testNow = time.Unix(1_800_000_000, 0)

var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 2)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// staticKeys holds the two keys of a pool: one signs ID tokens, the other access
// tokens.
type staticKeys map[string]*rsa.PublicKey

func (k staticKeys) Key(_ context.Context, keyID string) (*rsa.PublicKey, error) {
	if key, ok := k[keyID]; ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

func testVerifier(t testing.TB, change func(*Config)) *Verifier {
	t.Helper()
	config := Config{
		Issuer: testIssuer, ClientIDs: []string{testClient},
		Keys: staticKeys{"id=": &testKeys()[0].PublicKey, "access=": &testKeys()[1].PublicKey},
		Now:  func() time.Time { return testNow },
	}
	if change != nil {
		change(&config)
	}
	v, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type object map[string]any

func idClaims() object {
	return object{
		"iss": testIssuer, "sub": "s-1", "aud": testClient, "token_use": "id", "exp": testNow.Unix() + 3600, "iat": testNow.Unix(),
		"auth_time": testNow.Unix(), "cognito:username": "alice", "cognito:groups": []string{"admins", "analysts"}, "email": "alice@example.com",
		"email_verified": true, "nonce": "n-1", "custom:team": "blue", "jti": "j", "identities": []object{{"providerName": "Google", "primary": "true"}},
	}
}

func accessClaims() object {
	return object{
		"iss": testIssuer, "sub": "s-1", "client_id": testClient, "token_use": "access", "scope": "openid orders/read", "version": 2,
		"exp": testNow.Unix() + 3600, "iat": testNow.Unix(), "auth_time": testNow.Unix(), "username": "alice", "cognito:groups": []string{"admins"},
	}
}

func with(base object, changes object) object {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signRaw signs any header and payload.
func signRaw(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

func sign(t testing.TB, claims object) string {
	t.Helper()
	key, keyID := testKeys()[0], "id="
	if claims["token_use"] == "access" {
		key, keyID = testKeys()[1], "access="
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signRaw(t, key, fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, keyID), string(payload))
}

func TestClaims(t *testing.T) {
	v := testVerifier(t, nil)
	for range 2 { // the second time from the cache
		id, err := v.IDToken(t.Context(), sign(t, idClaims()), IDExpectations{Nonce: "n-1"})
		if err != nil {
			t.Fatal(err)
		}
		if id.Subject != "s-1" || id.Username != "alice" || !id.HasGroup("analysts") || id.HasGroup("Analysts") || !id.EmailVerified ||
			id.ClientID != testClient || string(id.Custom["custom:team"]) != `"blue"` || !id.ExpiresAt.Equal(testNow.Add(time.Hour)) || id.Machine() {
			t.Errorf("IDToken() = %+v", id)
		}
		if raw, ok := id.Raw("identities"); !ok || !strings.Contains(string(raw), "Google") || len(id.All()) != len(idClaims()) {
			t.Errorf("Raw(identities) = %s, %v; All() has %d claims", raw, ok, len(id.All()))
		}
		access, err := v.AccessToken(t.Context(), sign(t, accessClaims()))
		if err != nil {
			t.Fatal(err)
		}
		if access.Subject != "s-1" || access.Username != "alice" || !access.HasScope("orders/read") || access.HasScope("orders") || access.ClientID != testClient {
			t.Errorf("AccessToken() = %+v", access)
		}
	}
}

// TestRefusals has a row for each rule, and the sentinel that tells it.
func TestRefusals(t *testing.T) {
	sec := func(d int64) int64 { return testNow.Unix() + d }
	tests := []struct {
		name   string
		claims object
		want   error
	}{
		{"S007 another pool", with(idClaims(), object{"iss": testIssuer + "x"}), ErrIssuer},
		{"S007 trailing slash", with(idClaims(), object{"iss": testIssuer + "/"}), ErrIssuer},
		{"S007 no issuer", with(idClaims(), object{"iss": nil}), ErrIssuer},
		{"S008 another client", with(idClaims(), object{"aud": "client2"}), ErrAudience},
		{"S008 prefix of a client", with(idClaims(), object{"aud": "client"}), ErrAudience},
		{"S008 extra audience", with(idClaims(), object{"aud": []string{testClient, "client2"}}), ErrAudience},
		{"S008 one audience in an array", with(idClaims(), object{"aud": []string{testClient}}), nil},
		{"S008 no audience", with(idClaims(), object{"aud": nil}), ErrAudience},
		{"S008 azp of another", with(idClaims(), object{"azp": "client2"}), ErrAudience},
		{"S008 access of another client", with(accessClaims(), object{"client_id": "client2"}), ErrAudience},
		{"S008 access without client", with(accessClaims(), object{"client_id": nil}), ErrAudience},
		{"S008 access bound to a resource", with(accessClaims(), object{"aud": "https://api.example.com"}), ErrAudience},
		{"S008 access with its client as aud", with(accessClaims(), object{"aud": testClient}), nil},
		{"S010 just expired", with(idClaims(), object{"exp": sec(-30)}), ErrExpired},
		{"S010 within the leeway", with(idClaims(), object{"exp": sec(-29), "iat": sec(-100)}), nil},
		{"S010 no exp", with(idClaims(), object{"exp": nil}), ErrExpired},
		{"S010 exp in milliseconds", with(idClaims(), object{"exp": sec(3600) * 1000}), ErrClaim},
		{"S010 exp as a string", with(idClaims(), object{"exp": "1800003600"}), ErrClaim},
		{"S010 exp beyond counting", with(idClaims(), object{"exp": json.RawMessage("1e300")}), ErrClaim},
		{"S010 exp negative", with(idClaims(), object{"exp": -1}), ErrClaim},
		{"S010 exp null", with(idClaims(), object{"exp": json.RawMessage("null")}), ErrClaim},
		{"S010 no iat", with(idClaims(), object{"iat": nil}), ErrIssuedAt},
		{"S010 iat in the future", with(idClaims(), object{"iat": sec(31)}), ErrIssuedAt},
		{"S010 iat within the leeway", with(idClaims(), object{"iat": sec(30)}), nil},
		{"S010 not before", with(idClaims(), object{"nbf": sec(31)}), ErrNotYetValid},
		{"S010 exp before iat", with(idClaims(), object{"exp": sec(-20), "iat": sec(-10)}), ErrLifetime},
		{"S010 two days", with(idClaims(), object{"exp": sec(2 * 86400)}), ErrLifetime},
		{"S010 a whole day", with(idClaims(), object{"exp": sec(86400)}), nil},
		{"S011 no subject", with(idClaims(), object{"sub": nil}), ErrSubject},
		{"S011 empty subject", with(idClaims(), object{"sub": ""}), ErrSubject},
		{"S011 endless subject", with(idClaims(), object{"sub": strings.Repeat("s", 256)}), ErrSubject},
		{"S011 subject a number", with(idClaims(), object{"sub": 1}), ErrClaim},
		{"S012 another nonce", with(idClaims(), object{"nonce": "n-2"}), ErrNonce},
		{"S012 no nonce", with(idClaims(), object{"nonce": nil}), ErrNonce},
		{"S018 too large", with(idClaims(), object{"x": strings.Repeat("x", 20<<10)}), ErrTooLarge},
		{"groups a string", with(idClaims(), object{"cognito:groups": "admins"}), ErrClaim},
		{"groups with a number", with(idClaims(), object{"cognito:groups": []any{"a", 1}}), ErrClaim},
		{"groups null", with(idClaims(), object{"cognito:groups": json.RawMessage("null")}), ErrClaim},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := testVerifier(t, nil)
			var c *Claims
			var err error
			if tt.claims["token_use"] == "access" {
				c, err = v.AccessToken(t.Context(), sign(t, tt.claims))
			} else {
				c, err = v.IDToken(t.Context(), sign(t, tt.claims), IDExpectations{Nonce: "n-1"})
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			// S-017: no claims beside an error.
			if tt.want != nil && (c != nil || !errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnavailable)) {
				t.Errorf("claims %v, error %v", c, err)
			}
		})
	}
}

func TestS009_TokensAreNotSwapped(t *testing.T) {
	v := testVerifier(t, nil)
	id, access := sign(t, idClaims()), sign(t, accessClaims())
	if _, err := v.AccessToken(t.Context(), id); !errors.Is(err, ErrTokenUse) {
		t.Errorf("AccessToken(ID token) = %v", err)
	}
	if _, err := v.IDToken(t.Context(), access, IDExpectations{}); !errors.Is(err, ErrTokenUse) {
		t.Errorf("IDToken(access token) = %v", err)
	}
	// Nor by way of the cache.
	if _, err := v.AccessToken(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	if _, err := v.IDToken(t.Context(), access, IDExpectations{}); !errors.Is(err, ErrTokenUse) {
		t.Errorf("IDToken(cached access token) = %v", err)
	}
}

func TestS001_S002_S006_Headers(t *testing.T) {
	payload, err := json.Marshal(idClaims())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, header string
		want         error
	}{
		{"as Cognito makes it", `{"kid":"id=","alg":"RS256"}`, nil},
		{"typ JWT", `{"kid":"id=","alg":"RS256","typ":"JWT"}`, nil},
		{"alg none", `{"kid":"id=","alg":"none"}`, ErrAlgorithm},
		{"alg noNE", `{"kid":"id=","alg":"noNE"}`, ErrAlgorithm},
		{"alg HS256", `{"kid":"id=","alg":"HS256"}`, ErrAlgorithm},
		{"alg PS256", `{"kid":"id=","alg":"PS256"}`, ErrAlgorithm},
		{"alg RS512", `{"kid":"id=","alg":"RS512"}`, ErrAlgorithm},
		{"alg rs256", `{"kid":"id=","alg":"rs256"}`, ErrAlgorithm},
		{"no alg", `{"kid":"id="}`, ErrAlgorithm},
		{"alg twice", `{"kid":"id=","alg":"none","alg":"RS256"}`, ErrMalformed},
		{"ALG beside alg", `{"kid":"id=","alg":"RS256","ALG":"none"}`, ErrMalformed},
		{"ALG alone", `{"kid":"id=","ALG":"RS256"}`, ErrHeader},
		{"no kid", `{"alg":"RS256"}`, ErrHeader},
		{"kid a number", `{"kid":1,"alg":"RS256"}`, ErrHeader},
		{"kid of nobody", `{"kid":"../../etc/passwd","alg":"RS256"}`, ErrUnknownKey},
		{"kid of the other key", `{"kid":"access=","alg":"RS256"}`, ErrSignature},
		{"kid in another case", `{"kid":"ID=","alg":"RS256"}`, ErrUnknownKey},
		{"crit", `{"kid":"id=","alg":"RS256","crit":["exp"]}`, ErrHeader},
		{"empty crit", `{"kid":"id=","alg":"RS256","crit":[]}`, ErrHeader},
		{"b64", `{"kid":"id=","alg":"RS256","b64":false}`, ErrHeader},
		{"zip", `{"kid":"id=","alg":"RS256","zip":"DEF"}`, ErrHeader},
		{"typ logout+jwt", `{"kid":"id=","alg":"RS256","typ":"logout+jwt"}`, ErrHeader},
		{"own key", `{"kid":"id=","alg":"RS256","jku":"http://127.0.0.1:1/keys"}`, nil},
		{"header an array", `[]`, ErrMalformed},
		{"something after the header", `{"kid":"id=","alg":"RS256"}{}`, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := signRaw(t, testKeys()[0], tt.header, string(payload))
			if _, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{}); !errors.Is(err, tt.want) {
				t.Errorf("IDToken() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestS005_Payloads(t *testing.T) {
	whole := func(extra string) string {
		b, err := json.Marshal(idClaims())
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(b), "}") + extra
	}
	tests := []struct{ name, payload string }{
		{"a name twice", whole(`,"sub":"evil"}`)},
		{"a name in capitals", whole(`,"SUB":"evil"}`)},
		{"a name with a long s", whole(`,"ſub":"evil"}`)},
		{"a name with a Kelvin sign", whole(`,"to` + "\u212a" + `en_use":"access"}`)},
		{"a name by an escape", whole(`,"s\u0075b":"evil"}`)},
		{"groups in capitals", whole(`,"COGNITO:GROUPS":["admins"]}`)},
		{"a nested name twice", whole(`,"x":{"a":1,"a":2}}`)},
		{"another object after it", whole(`}{}`)},
		{"text after it", whole(`}x`)},
		{"an array", `[]`},
		{"a string", `"x"`},
		{"nothing", ` `},
		{"bad UTF-8", whole(",\"x\":\"\xff\"}")},
		{"a lone surrogate", whole(`,"\ud800":1}`)},
		{"deep nesting", whole(`,"x":` + strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40) + `}`)},
		{"deep nesting of objects", whole(`,"x":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := signRaw(t, testKeys()[0], `{"kid":"id=","alg":"RS256"}`, tt.payload)
			if _, err := testVerifier(t, nil).IDToken(t.Context(), raw, IDExpectations{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("IDToken() = %v, want %v", err, ErrMalformed)
			}
		})
	}
}

func TestS004_Forms(t *testing.T) {
	good := sign(t, idClaims())
	parts := strings.Split(good, ".")
	last := good[len(good)-1:]
	// The last character of a 256-byte signature carries four bits of nothing.
	other := map[bool]string{true: "B", false: "A"}[last == "A"]
	tests := []struct{ name, raw string }{
		{"empty", ""}, {"two parts", parts[0] + "." + parts[1]}, {"four parts", good + ".x"}, {"five parts", good + ".x.y"},
		{"no signature", parts[0] + "." + parts[1] + "."}, {"no header", "." + parts[1] + "." + parts[2]},
		{"padding", good + "=="}, {"line break", good[:20] + "\n" + good[20:]}, {"break in the signature", good[:len(good)-4] + "\r\n" + good[len(good)-4:]},
		{"space around", " " + good}, {"standard alphabet", strings.ReplaceAll(strings.ReplaceAll(good, "-", "+"), "_", "/") + "+"},
		{"JSON serialization", `{"payload":"` + parts[1] + `","signatures":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := testVerifier(t, nil).IDToken(t.Context(), tt.raw, IDExpectations{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("IDToken() = %v, want %v", err, ErrMalformed)
			}
		})
	}
	for i := range parts[2] {
		if _, err := testVerifier(t, nil).IDToken(t.Context(), parts[0]+"."+parts[1]+"."+parts[2][:i]+other+parts[2][i+1:], IDExpectations{}); err == nil && parts[2][i:i+1] != other {
			t.Fatalf("a signature altered at %d passes", i)
		}
	}
}

func TestS011_AccessTokenHash(t *testing.T) {
	access := sign(t, accessClaims())
	sum := sha256.Sum256([]byte(access))
	id := sign(t, with(idClaims(), object{"at_hash": b64(sum[:16])}))
	v := testVerifier(t, nil)
	if _, err := v.IDToken(t.Context(), id, IDExpectations{AccessToken: access}); err != nil {
		t.Errorf("IDToken() = %v", err)
	}
	other := sign(t, with(accessClaims(), object{"jti": "other"}))
	if _, err := v.IDToken(t.Context(), id, IDExpectations{AccessToken: other}); !errors.Is(err, ErrAccessTokenHash) {
		t.Errorf("IDToken(another access token) = %v, want %v", err, ErrAccessTokenHash)
	}
}

func TestS012_NonceOfARefresh(t *testing.T) {
	v := testVerifier(t, nil)
	want := IDExpectations{Nonce: "n-1", NonceOptional: true}
	if _, err := v.IDToken(t.Context(), sign(t, with(idClaims(), object{"nonce": nil})), want); err != nil {
		t.Errorf("without nonce: %v", err)
	}
	if _, err := v.IDToken(t.Context(), sign(t, with(idClaims(), object{"nonce": "n-2"})), want); !errors.Is(err, ErrNonce) {
		t.Errorf("another nonce: %v, want %v", err, ErrNonce)
	}
}

func TestS016_CacheNeverOutlivesExp(t *testing.T) {
	now := testNow
	v := testVerifier(t, func(c *Config) { c.Now = func() time.Time { return now } })
	raw := sign(t, accessClaims())
	if _, err := v.AccessToken(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour + time.Minute)
	if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, ErrExpired) {
		t.Errorf("AccessToken() = %v, want %v", err, ErrExpired)
	}
}

func TestS145_CacheIsBounded(t *testing.T) {
	v := testVerifier(t, func(c *Config) { c.CacheSize = 32 })
	for i := range 200 {
		if _, err := v.AccessToken(t.Context(), sign(t, with(accessClaims(), object{"jti": i + 1, "x": i}))); err == nil {
			t.Fatal("jti as a number passed")
		}
		if i%10 == 0 {
			if _, err := v.AccessToken(t.Context(), sign(t, with(accessClaims(), object{"jti": fmt.Sprint(i)}))); err != nil {
				t.Fatal(err)
			}
		}
	}
	total := 0
	for i := range v.cache.shards {
		total += len(v.cache.shards[i].entries)
	}
	if total == 0 || total > 32 {
		t.Errorf("the cache holds %d tokens, want 1 to 32", total)
	}
}

func TestS022_MachineTokens(t *testing.T) {
	c, err := testVerifier(t, nil).AccessToken(t.Context(), sign(t, with(accessClaims(), object{"sub": testClient, "username": nil, "cognito:groups": nil})))
	if err != nil || !c.Machine() {
		t.Errorf("AccessToken() = %+v, %v; want a machine's", c, err)
	}
}

func TestS114_EmailVerified(t *testing.T) {
	for raw, want := range map[string]bool{`true`: true, `"true"`: true, `"True"`: true, `false`: false, `"false"`: false, `""`: false, `"1"`: false} {
		c, err := testVerifier(t, nil).IDToken(t.Context(), sign(t, with(idClaims(), object{"email_verified": json.RawMessage(raw)})), IDExpectations{})
		if err != nil || c.EmailVerified != want {
			t.Errorf("email_verified %s: %v, %v; want %v", raw, c, err, want)
		}
	}
	if _, err := testVerifier(t, nil).IDToken(t.Context(), sign(t, with(idClaims(), object{"email_verified": 1})), IDExpectations{}); !errors.Is(err, ErrClaim) {
		t.Errorf("email_verified 1: %v, want %v", err, ErrClaim)
	}
}

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	_, err := New(Config{JWKSURL: "http://evil.example/keys", Leeway: time.Hour})
	for _, word := range []string{"issuer", "client ids", "leeway", "https"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("New() = %v, does not name %s", err, word)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(sign(f, idClaims()))
	f.Add(sign(f, accessClaims()))
	f.Add("e30.e30.e30")
	v := testVerifier(f, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := v.IDToken(t.Context(), raw, IDExpectations{})
		if (c == nil) == (err == nil) {
			t.Errorf("IDToken(%q) = %v, %v", raw, c, err)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("IDToken(%q) = %v, which is no refusal", raw, err)
		}
	})
}

// FuzzReadObject holds the strict reader to the standard one: what it accepts
// means the same to both.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{"c":"d\n"}],"e":null}`, `{"a":1,"a":2}`, ` {"a" : -1.5e3 } `, `{"\u0061":"\"}"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		members, err := readObject(b)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("readObject(%q) accepts what encoding/json refuses: %v", b, err)
		}
		if len(members) != len(want) {
			t.Fatalf("readObject(%q) has %d names, encoding/json %d", b, len(members), len(want))
		}
		for _, m := range members {
			if string(want[m.name]) != string(m.raw) {
				t.Errorf("readObject(%q): %q is %q, want %q", b, m.name, m.raw, want[m.name])
			}
		}
	})
}

func BenchmarkRSAFloor(b *testing.B) {
	raw := sign(b, accessClaims())
	t, err := parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(t.signed))
	for b.Loop() {
		if rsa.VerifyPKCS1v15(&testKeys()[1].PublicKey, crypto.SHA256, sum[:], t.signature) != nil {
			b.Fatal("signature refused")
		}
	}
}

func BenchmarkColdAccessToken(b *testing.B) {
	v := testVerifier(b, func(c *Config) { c.CacheSize = -1 })
	raw := sign(b, accessClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AccessToken(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCachedAccessToken(b *testing.B) {
	v := testVerifier(b, nil)
	raw := sign(b, accessClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AccessToken(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}
