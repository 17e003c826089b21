package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// rule is a row of a table: claims, and the sentinel that they must cause, or nil.
type rule struct {
	name   string
	claims object
	want   error
}

func checkRules(t *testing.T, v *Verifier, rules []rule) {
	t.Helper()
	for _, tt := range rules {
		t.Run(tt.name, func(t *testing.T) {
			c, err := verifyAs(t, v, tt.claims)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			// S-017: an error comes alone, and is a refusal.
			if tt.want != nil && (c != nil || !errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnavailable)) {
				t.Errorf("got %v, %v", c, err)
			}
		})
	}
}

func TestS007_Issuer(t *testing.T) {
	checkRules(t, testVerifier(t, nil), []rule{
		{"ours", idClaims(), nil},
		{"another pool", with(idClaims(), object{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}), ErrIssuer},
		{"a prefix", with(idClaims(), object{"iss": testIssuer[:len(testIssuer)-1]}), ErrIssuer},
		{"more", with(idClaims(), object{"iss": testIssuer + "x"}), ErrIssuer},
		{"a trailing slash", with(idClaims(), object{"iss": testIssuer + "/"}), ErrIssuer},
		{"another case", with(idClaims(), object{"iss": strings.ToUpper(testIssuer)}), ErrIssuer},
		{"empty", with(idClaims(), object{"iss": ""}), ErrIssuer},
		{"missing", with(idClaims(), object{"iss": gone{}}), ErrIssuer},
		{"a list", with(idClaims(), object{"iss": []string{testIssuer}}), ErrClaim},
		{"of an access token", with(accessClaims(), object{"iss": testIssuer + "x"}), ErrIssuer},
	})
}

// TestS007_KeysOfAnotherPool: each verifier has its own keys, so that pool B
// cannot vouch for pool A.
func TestS007_KeysOfAnotherPool(t *testing.T) {
	foreign := signRaw(t, testKeys()[2], header(""), string(marshal(t, idClaims())))
	if _, err := testVerifier(t, nil).IDToken(t.Context(), foreign, IDExpectations{}); !errors.Is(err, ErrSignature) {
		t.Errorf("IDToken() = %v, want %v", err, ErrSignature)
	}
}

func TestS008_Audience(t *testing.T) {
	const other, api = "another-client", "https://api.example.com"
	plain := testVerifier(t, nil)
	t.Run("ID token", func(t *testing.T) {
		checkRules(t, plain, []rule{
			{"ours", idClaims(), nil},
			{"ours in a list", with(idClaims(), object{"aud": []string{testClient}}), nil},
			{"another client", with(idClaims(), object{"aud": other}), ErrAudience},
			{"a prefix", with(idClaims(), object{"aud": testClient[:8]}), ErrAudience},
			{"ours and more", with(idClaims(), object{"aud": []string{testClient, other}}), ErrAudience},
			{"ours twice", with(idClaims(), object{"aud": []string{testClient, testClient}}), ErrAudience},
			{"an empty list", with(idClaims(), object{"aud": []string{}}), ErrAudience},
			{"empty", with(idClaims(), object{"aud": ""}), ErrAudience},
			{"missing", with(idClaims(), object{"aud": gone{}}), ErrAudience},
			{"client_id in its place", with(idClaims(), object{"aud": gone{}, "client_id": testClient}), ErrAudience},
			{"a number", with(idClaims(), object{"aud": 1}), ErrClaim},
			{"a list of numbers", with(idClaims(), object{"aud": []any{testClient, 1}}), ErrClaim},
			{"azp equal", with(idClaims(), object{"azp": testClient}), nil},
			{"azp of another client", with(idClaims(), object{"azp": other}), ErrAudience},
		})
	})
	access := []rule{
		{"ours", accessClaims(), nil},
		{"another client", with(accessClaims(), object{"client_id": other}), ErrAudience},
		{"a prefix", with(accessClaims(), object{"client_id": testClient[:8]}), ErrAudience},
		{"empty", with(accessClaims(), object{"client_id": ""}), ErrAudience},
		{"missing", with(accessClaims(), object{"client_id": gone{}}), ErrAudience},
		{"aud in its place", with(accessClaims(), object{"client_id": gone{}, "aud": testClient}), ErrAudience},
		{"a list", with(accessClaims(), object{"client_id": []string{testClient}}), ErrClaim},
		{"its client as aud, as a trigger can add it", with(accessClaims(), object{"aud": testClient}), nil},
		{"aud of another client", with(accessClaims(), object{"aud": other}), ErrAudience},
	}
	bound := with(accessClaims(), object{"aud": api})
	t.Run("access token", func(t *testing.T) {
		checkRules(t, plain, append(access, rule{"bound to a resource", bound, ErrAudience}))
	})
	t.Run("access token for resources", func(t *testing.T) {
		v := testVerifier(t, func(c *Config) { c.Resources = []string{api} })
		checkRules(t, v, append(access,
			rule{"bound to ours", bound, nil},
			rule{"bound to another", with(accessClaims(), object{"aud": api + "/"}), ErrAudience},
			rule{"bound to ours and another", with(accessClaims(), object{"aud": []string{api, "https://evil.example"}}), ErrAudience},
			rule{"ID token for a resource", with(idClaims(), object{"aud": api}), ErrAudience},
		))
	})
	t.Run("several clients", func(t *testing.T) {
		v := testVerifier(t, func(c *Config) { c.ClientIDs = append(c.ClientIDs, other) })
		checkRules(t, v, []rule{
			{"the second", with(idClaims(), object{"aud": other}), nil},
			{"access of the second", with(accessClaims(), object{"client_id": other}), nil},
			{"both", with(idClaims(), object{"aud": []string{testClient, other}}), ErrAudience},
			{"aud is the one, client_id the other", with(accessClaims(), object{"aud": other}), ErrAudience},
		})
	})
}

// TestS666_AnyClient: a token of an app client that nobody named counts where it is bound to
// the resource that is asked about, and nowhere else, also when it is remembered.
func TestS666_AnyClient(t *testing.T) {
	const api, elsewhere, stranger = "https://api.example.com/mcp", "https://other.example.com", "stranger0123"
	v := testVerifier(t, func(c *Config) { c.Resources = []string{elsewhere} })
	open := AccessExpectations{Resource: api, AnyClient: true}
	for _, tt := range []struct {
		name    string
		changes object
		want    AccessExpectations
		ok      bool
	}{
		{"bound to it", object{"aud": api}, open, true},
		{"where clients are named", object{"aud": api}, AccessExpectations{Resource: api}, false},
		{"where no resource is", object{"aud": elsewhere}, AccessExpectations{AnyClient: true}, false},
		{"bound to it and its own client", object{"aud": []string{api, stranger}}, open, true},
		{"bound to it and something else", object{"aud": []string{api, "https://evil.example"}}, open, false},
		{"bound to something else", object{"aud": elsewhere}, open, false},
		{"bound to its own client", object{"aud": stranger}, open, false},
		{"bound to nothing", object{}, open, false},
		{"bound to nothing, which will do for known clients", object{}, AccessExpectations{Resource: api, AnyClient: true, Unbound: true}, false},
		{"no client", object{"aud": api, "client_id": gone{}}, open, false},
		{"a client that is named", object{"aud": api, "client_id": testClient}, open, true},
	} {
		changes := with(object{"client_id": stranger}, tt.changes)
		if tt.changes["client_id"] == (gone{}) {
			changes["client_id"] = gone{}
		}
		raw := sign(t, with(accessClaims(), changes))
		for _, again := range []string{"", " again"} {
			if _, err := v.AccessTokenFor(t.Context(), raw, tt.want); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrAudience) {
				t.Errorf("%s%s: %v", tt.name, again, err)
			}
		}
		// What one caller takes is not what the next does.
		if _, err := v.AccessToken(t.Context(), raw); changes["client_id"] != testClient && !errors.Is(err, ErrAudience) {
			t.Errorf("%s, for any other use: %v", tt.name, err)
		}
	}
}

// TestS009_TokenUse tries every pairing, also when a token is already known by its
// right use.
func TestS009_TokenUse(t *testing.T) {
	v := testVerifier(t, nil)
	id, access := sign(t, idClaims()), sign(t, accessClaims())
	for range 2 {
		if _, err := v.IDToken(t.Context(), id, IDExpectations{}); err != nil {
			t.Errorf("IDToken(ID token) = %v", err)
		}
		if _, err := v.AccessToken(t.Context(), access); err != nil {
			t.Errorf("AccessToken(access token) = %v", err)
		}
		if _, err := v.AccessToken(t.Context(), id); !errors.Is(err, ErrTokenUse) {
			t.Errorf("AccessToken(ID token) = %v, want %v", err, ErrTokenUse)
		}
		if _, err := v.IDToken(t.Context(), access, IDExpectations{}); !errors.Is(err, ErrTokenUse) {
			t.Errorf("IDToken(access token) = %v, want %v", err, ErrTokenUse)
		}
	}
	for name, use := range map[string]any{"missing": gone{}, "empty": "", "in capitals": "ID", "with a space": "id ", "unknown": "refresh"} {
		claims := with(idClaims(), object{"token_use": use})
		if _, err := v.IDToken(t.Context(), sign(t, claims), IDExpectations{}); !errors.Is(err, ErrTokenUse) {
			t.Errorf("token_use %s: IDToken() = %v, want %v", name, err, ErrTokenUse)
		}
		if _, err := v.AccessToken(t.Context(), sign(t, claims)); !errors.Is(err, ErrTokenUse) {
			t.Errorf("token_use %s: AccessToken() = %v, want %v", name, err, ErrTokenUse)
		}
	}
	checkRules(t, v, []rule{{"a list", with(idClaims(), object{"token_use": []string{"id"}}), ErrClaim}})
}

func TestS010_Times(t *testing.T) {
	at := func(seconds int64) int64 { return testNow.Unix() + seconds }
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	times := func(changes object) object { return with(idClaims(), changes) }
	for _, tt := range []struct {
		setting time.Duration
		leeway  int64
	}{{0, 30}, {-1, 0}, {time.Minute, 60}, {5 * time.Minute, 300}} {
		t.Run(fmt.Sprint("leeway ", tt.setting), func(t *testing.T) {
			v := testVerifier(t, func(c *Config) { c.Leeway = tt.setting })
			l := tt.leeway
			checkRules(t, v, []rule{
				{"expired just now", times(object{"exp": at(-l), "iat": at(-900)}), ErrExpired},
				{"expires now", times(object{"exp": at(1 - l), "iat": at(-900)}), nil},
				{"issued just now", times(object{"iat": at(l)}), nil},
				{"issued too far ahead", times(object{"iat": at(l + 1)}), ErrIssuedAt},
				{"valid from now", times(object{"nbf": at(l)}), nil},
				{"valid later", times(object{"nbf": at(l + 1)}), ErrNotYetValid},
				{"lives for a day", times(object{"exp": at(86400 + l)}), nil},
				{"lives for longer", times(object{"exp": at(86401 + l)}), ErrLifetime},
			})
		})
	}
	checkRules(t, testVerifier(t, nil), []rule{
		{"no exp", times(object{"exp": gone{}}), ErrExpired},
		{"no iat", times(object{"iat": gone{}}), ErrIssuedAt},
		{"exp before iat", times(object{"exp": at(-20), "iat": at(-10)}), ErrLifetime},
		{"exp at the epoch", times(object{"exp": 0}), ErrExpired},
		{"iat at the epoch", times(object{"iat": 0}), ErrLifetime},
		{"fractions", times(object{"exp": raw("1800003600.75"), "iat": raw("1799999999.25")}), nil},
		{"exponents", times(object{"exp": raw("1.8000036e9")}), nil},
		{"nbf before iat", times(object{"nbf": at(-600)}), nil},
		{"exp in milliseconds", times(object{"exp": at(3600) * 1000}), ErrClaim},
		{"exp a string", times(object{"exp": "1800003600"}), ErrClaim},
		{"exp null", times(object{"exp": raw("null")}), ErrClaim},
		{"exp true", times(object{"exp": true}), ErrClaim},
		{"exp a list", times(object{"exp": []int64{at(3600)}}), ErrClaim},
		{"exp negative", times(object{"exp": -1}), ErrClaim},
		{"exp minus zero point one", times(object{"exp": raw("-0.1")}), ErrClaim},
		{"exp beyond float64", times(object{"exp": raw("1e999")}), ErrClaim},
		{"exp near the end of float64", times(object{"exp": raw("1e300")}), ErrClaim},
		{"exp near the end of int64", times(object{"exp": int64(math.MaxInt64)}), ErrClaim},
		{"exp beyond int64", times(object{"exp": raw("9223372036854775808")}), ErrClaim},
		{"iat a string", times(object{"iat": "1800000000"}), ErrClaim},
		{"nbf a string", times(object{"nbf": "1800000000"}), ErrClaim},
		{"nbf beyond counting", times(object{"nbf": raw("1e300")}), ErrClaim},
		{"auth_time a string", times(object{"auth_time": "1800000000"}), ErrClaim},
	})
}

func TestS011_S260_Subject(t *testing.T) {
	checkRules(t, testVerifier(t, nil), []rule{
		{"as long as may be", with(idClaims(), object{"sub": strings.Repeat("s", 255)}), nil},
		{"not a UUID", with(idClaims(), object{"sub": "x"}), nil},
		{"longer", with(idClaims(), object{"sub": strings.Repeat("s", 256)}), ErrSubject},
		{"longer in bytes", with(idClaims(), object{"sub": strings.Repeat("é", 128)}), ErrSubject},
		{"empty", with(idClaims(), object{"sub": ""}), ErrSubject},
		{"a control character", with(idClaims(), object{"sub": "a\x00b"}), ErrSubject},
		{"a line break", with(accessClaims(), object{"sub": "a\nb"}), ErrSubject},
		{"U+0085", with(idClaims(), object{"sub": "a\u0085b"}), ErrSubject},
		{"a direction override", with(idClaims(), object{"sub": "a\u202eb"}), ErrSubject},
		{"a space", with(idClaims(), object{"sub": "a b"}), ErrSubject},
		{"missing", with(accessClaims(), object{"sub": gone{}}), ErrSubject},
		{"a number", with(idClaims(), object{"sub": 1}), ErrClaim},
		{"null", with(idClaims(), object{"sub": json.RawMessage("null")}), ErrClaim},
	})
}

func TestS011_AccessTokenHash(t *testing.T) {
	access, other := sign(t, accessClaims()), sign(t, with(accessClaims(), object{"sub": "somebody-else"}))
	sum := hash(access)
	bound := sign(t, with(idClaims(), object{"at_hash": b64(sum[:16])}))
	tests := []struct {
		name, id, access string
		want             error
	}{
		{"the right one", bound, access, nil},
		{"another one", bound, other, ErrAccessTokenHash},
		{"not asked for", bound, "", nil},
		{"none in the token", sign(t, idClaims()), other, nil},
		{"too long", sign(t, with(idClaims(), object{"at_hash": b64(sum[:])})), access, ErrAccessTokenHash},
	}
	v := testVerifier(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second time from the cache
				if _, err := v.IDToken(t.Context(), tt.id, IDExpectations{AccessToken: tt.access}); !errors.Is(err, tt.want) {
					t.Errorf("IDToken() = %v, want %v", err, tt.want)
				}
			}
		})
	}
}

func TestS012_Nonce(t *testing.T) {
	signIn := IDExpectations{Nonce: "n-1"}
	refresh := IDExpectations{Nonce: "n-1", NonceOptional: true}
	tests := []struct {
		name  string
		nonce any
		want  IDExpectations
		err   error
	}{
		{"sign-in, the right one", "n-1", signIn, nil},
		{"sign-in, another one", "n-2", signIn, ErrNonce},
		{"sign-in, a longer one", "n-11", signIn, ErrNonce},
		{"sign-in, an empty one", "", signIn, ErrNonce},
		{"sign-in, none", gone{}, signIn, ErrNonce},
		{"refresh, the right one", "n-1", refresh, nil},
		{"refresh, none", gone{}, refresh, nil},
		{"refresh, another one", "n-2", refresh, ErrNonce},
		{"not asked for, but there", "made-by-cognito", IDExpectations{}, nil},
		{"not a string", 1, IDExpectations{}, ErrClaim},
	}
	v := testVerifier(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := sign(t, with(idClaims(), object{"nonce": tt.nonce}))
			for range 2 { // the second time from the cache
				if _, err := v.IDToken(t.Context(), raw, tt.want); !errors.Is(err, tt.err) {
					t.Errorf("IDToken() = %v, want %v", err, tt.err)
				}
			}
		})
	}
}

// TestS017_OneByteOfTheSignature: nothing of a token is to be had while its
// signature does not fit, and the error does not depend on where it does not.
func TestS017_OneByteOfTheSignature(t *testing.T) {
	v := testVerifier(t, nil)
	tok, err := idToken.parse(sign(t, idClaims()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range tok.signature {
		tok.signature[i] ^= 1
		c, err := v.IDToken(t.Context(), tok.signed+"."+b64(tok.signature), IDExpectations{})
		if c != nil || !errors.Is(err, ErrSignature) {
			t.Fatalf("byte %d: IDToken() = %v, %v, want %v", i, c, err, ErrSignature)
		}
		tok.signature[i] ^= 1
	}
	for name, signature := range map[string][]byte{
		"shorter": tok.signature[:255], "longer": append(tok.signature, 0), "half": tok.signature[:128], "a byte": {1}, "zeros": make([]byte, 256),
	} {
		if c, err := v.IDToken(t.Context(), tok.signed+"."+b64(signature), IDExpectations{}); c != nil || !errors.Is(err, ErrSignature) {
			t.Errorf("%s: IDToken() = %v, %v, want %v", name, c, err, ErrSignature)
		}
	}
}
