package bench

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/codegrant/codegrant/verify"
)

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// A contender verifies an ID token and reads what a service wants to know of it:
// who it is, and in which groups.
type contender struct {
	name   string
	verify func(ctx context.Context, raw string) (user, error)
}

type user struct {
	Subject string
	Groups  []string
}

// claims is what contenders decode into that leave the claims' types to their user.
type claims struct {
	jwt.RegisteredClaims
	TokenUse string   `json:"token_use"`
	Groups   []string `json:"cognito:groups"`
}

// contenders are set up as each one's documentation has it, with the key at hand,
// to check what the others check: signature, algorithm, issuer, audience, expiry.
func contenders(tb testing.TB, key *rsa.PublicKey) []contender {
	tb.Helper()
	return []contender{
		// The tokens of a run do not fit into so small a cache, so that each one is
		// looked up, found missing, verified and kept, as a new one is in a service.
		{"codegrant-cold", codegrantVerifier(tb, key, 8)},
		{"codegrant-cached", codegrantVerifier(tb, key, 0)},
		{"go-oidc", oidcVerifier(key)},
		{"golang-jwt", golangJWTVerifier(key)},
		{"jwx", jwxVerifier(tb, key)},
	}
}

// staticKeys is the key set of a pool with one key.
type staticKeys struct{ key *rsa.PublicKey }

func (s staticKeys) Key(_ context.Context, kid string) (*rsa.PublicKey, error) {
	if kid != keyID {
		return nil, verify.ErrUnknownKey
	}
	return s.key, nil
}

func codegrantVerifier(tb testing.TB, key *rsa.PublicKey, cacheSize int) func(context.Context, string) (user, error) {
	verifier, err := verify.New(verify.Config{
		Issuer:    issuer,
		ClientIDs: []string{clientID},
		Keys:      staticKeys{key},
		CacheSize: cacheSize,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context, raw string) (user, error) {
		claims, err := verifier.IDToken(ctx, raw, verify.IDExpectations{})
		if err != nil {
			return user{}, err
		}
		return user{claims.Subject, claims.Groups}, nil
	}
}

func oidcVerifier(key *rsa.PublicKey) func(context.Context, string) (user, error) {
	verifier := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}, &oidc.Config{ClientID: clientID})
	return func(ctx context.Context, raw string) (user, error) {
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return user{}, err
		}
		var c claims
		if err := token.Claims(&c); err != nil {
			return user{}, err
		}
		return user{c.Subject, c.Groups}, nil
	}
}

func golangJWTVerifier(key *rsa.PublicKey) func(context.Context, string) (user, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(clientID),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	keyFor := func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != keyID {
			return nil, errors.New("unknown key")
		}
		return key, nil
	}
	return func(_ context.Context, raw string) (user, error) {
		var c claims
		if _, err := parser.ParseWithClaims(raw, &c, keyFor); err != nil {
			return user{}, err
		}
		return user{c.Subject, c.Groups}, nil
	}
}

func jwxVerifier(tb testing.TB, key *rsa.PublicKey) func(context.Context, string) (user, error) {
	public, err := jwk.Import(key)
	if err != nil {
		tb.Fatal(err)
	}
	keys := jwk.NewSet()
	if err := errors.Join(public.Set(jwk.KeyIDKey, keyID), public.Set(jwk.AlgorithmKey, jwa.RS256()), keys.AddKey(public)); err != nil {
		tb.Fatal(err)
	}
	return func(_ context.Context, raw string) (user, error) {
		token, err := jwxjwt.Parse([]byte(raw), jwxjwt.WithKeySet(keys), jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(clientID))
		if err != nil {
			return user{}, err
		}
		var u user
		var groups []any
		u.Subject, _ = token.Subject()
		if err := token.Get("cognito:groups", &groups); err != nil {
			return user{}, err
		}
		for _, group := range groups {
			name, _ := group.(string)
			u.Groups = append(u.Groups, name)
		}
		return u, nil
	}
}

// tokens makes ID tokens as a pool does, one per user.
func tokens(tb testing.TB, key *rsa.PrivateKey, n int) []string {
	tb.Helper()
	now := time.Now().Unix()
	var all []string
	for i := range n {
		all = append(all, sign(tb, key, map[string]any{
			"sub":              fmt.Sprintf("aaaaaaaa-bbbb-cccc-dddd-%012d", i),
			"cognito:groups":   []string{"admins", "analysts"},
			"cognito:username": fmt.Sprintf("user-%d", i),
			"email":            fmt.Sprintf("user-%d@example.com", i),
			"email_verified":   true,
			"given_name":       "Alice",
			"family_name":      "Example",
			"iss":              issuer,
			"aud":              clientID,
			"origin_jti":       fmt.Sprintf("11111111-2222-3333-4444-%012d", i),
			"event_id":         fmt.Sprintf("64f513be-32db-42b0-b78e-%012d", i),
			"jti":              fmt.Sprintf("b90f0c8a-7d2e-4c1f-9d3b-%012d", i),
			"token_use":        "id",
			"auth_time":        now,
			"iat":              now,
			"exp":              now + 3600,
		}))
	}
	return all
}

// TestContenders sees that all contenders do the same work: they read the same
// user from a token, and refuse one that was tampered with.
func TestContenders(t *testing.T) {
	key := newKey(t)
	raw := tokens(t, key, 1)[0]
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	other, _, _ := strings.Cut(strings.TrimPrefix(tokens(t, newKey(t), 2)[1], header+"."), ".")
	if other == payload {
		t.Fatal("the tampered token is the same as the right one")
	}

	for _, c := range contenders(t, &key.PublicKey) {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.verify(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != "aaaaaaaa-bbbb-cccc-dddd-000000000000" || len(got.Groups) != 2 || got.Groups[1] != "analysts" {
				t.Errorf("verify(token) = %+v, want the token's user with two groups", got)
			}
			if got, err := c.verify(t.Context(), header+"."+other+"."+signature); err == nil {
				t.Errorf("verify(token with another payload) = %+v, want an error", got)
			}
		})
	}
}

// BenchmarkVerify has each contender verify an ID token. The baseline is the bare
// signature check, on the digest, with the same key.
func BenchmarkVerify(b *testing.B) {
	key := newKey(b)
	all := tokens(b, key, 256)

	b.Run("rsa", func(b *testing.B) {
		input := all[0][:strings.LastIndexByte(all[0], '.')]
		signature, err := base64.RawURLEncoding.DecodeString(all[0][len(input)+1:])
		if err != nil {
			b.Fatal(err)
		}
		digest := sha256.Sum256([]byte(input))
		b.ReportAllocs()
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})

	for _, c := range contenders(b, &key.PublicKey) {
		b.Run(c.name, func(b *testing.B) {
			for _, raw := range all { // fills the cache that has room
				if _, err := c.verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.verify(b.Context(), all[i%len(all)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
