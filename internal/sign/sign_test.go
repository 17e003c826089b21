package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/session"
)

func ring(t testing.TB, names ...string) *session.Keyring {
	t.Helper()
	var keys [][]byte
	for _, name := range names {
		keys = append(keys, []byte((name + "0123456789abcdefghijklmnopqrstuvwxyz")[:session.KeySize]))
	}
	k, err := session.NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var withRSA = sync.OnceValues(func() (Keys, error) { return Derive(mustRing(), "test", RS256) })

func mustRing() *session.Keyring {
	k, err := session.NewKeyring([]byte("old0123456789abcdefghijklmnopqrs"))
	if err != nil {
		panic(err)
	}
	return k
}

func signer(t testing.TB, k *session.Keyring, algorithm string) *Signer {
	t.Helper()
	if algorithm == RS256 { // its keys take a moment, and are always those of "old"
		keys, err := withRSA()
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(keys)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	keys, err := Derive(k, "test", algorithm)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestS690_TokensAreOursOrNothing: what opens is what a key of ours has signed, under the
// header that it writes, and nothing that looks like it.
func TestS690_TokensAreOursOrNothing(t *testing.T) {
	for _, algorithm := range []string{"", ES256, RS256} {
		names := []string{"new", "old"}
		if algorithm == RS256 {
			names = names[1:] // its keys take a moment
		}
		s := signer(t, ring(t, names...), algorithm)
		token, err := s.Token("at+jwt", map[string]string{"sub": "<alice>"})
		if err != nil {
			t.Fatal(err)
		}
		if claims, err := s.Open("at+jwt", token); err != nil || string(claims) != `{"sub":"<alice>"}` {
			t.Errorf("%s: %s, %v", algorithm, claims, err)
		}
		parts := strings.Split(token, ".")
		other := parts[0] + "." + parts[1] + "." + encoded(bytes.Repeat([]byte{7}, base64.RawURLEncoding.DecodedLen(len(parts[2]))))
		none := encoded([]byte(`{"alg":"none","typ":"at+jwt"}`))
		for name, bad := range map[string]string{
			"another signature":     other,
			"another type":          s.keys[0].header("JWT") + "." + parts[1] + "." + parts[2],
			"another key's header":  s.keys[len(s.keys)-1].header("at+jwt") + "." + parts[1] + "." + parts[2],
			"no algorithm":          none + "." + parts[1] + ".",
			"no signature":          parts[0] + "." + parts[1] + ".",
			"two parts":             parts[0] + "." + parts[1],
			"four parts":            token + ".x",
			"other claims":          parts[0] + "." + encoded([]byte(`{"sub":"bob"}`)) + "." + parts[2],
			"a line break":          token[:len(token)-4] + "\n" + token[len(token)-4:],
			"header in other words": encoded([]byte(`{"typ":"at+jwt","alg":"`+s.keys[0].Alg+`","kid":"`+s.keys[0].Kid+`"}`)) + "." + parts[1] + "." + parts[2],
			"nothing":               "",
		} {
			if claims, err := s.Open("at+jwt", bad); !errors.Is(err, ErrNotOurs) {
				t.Errorf("%s: %s opens: %s", algorithm, name, claims)
			}
		}
		if algorithm == RS256 {
			continue
		}
		// Keys rotate: what the old one signed opens as long as it is there.
		old, err := signer(t, ring(t, "old"), algorithm).Token("at+jwt", 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open("at+jwt", old); err != nil {
			t.Errorf("%s: of the old key: %v", algorithm, err)
		}
	}
}

// TestKeysFollowFromTheRing: processes with one ring have one set of keys, which does not
// change from release to release.
func TestKeysFollowFromTheRing(t *testing.T) {
	jwks := signer(t, ring(t, "old"), RS256).JWKS()
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, k := range set.Keys {
		kinds = append(kinds, k.Alg+" "+k.Kid)
	}
	want := []string{"RS256 8HTw55c2yuk-ZSQZ", "EdDSA 0J2LghoGH16Kq7O4", "ES256 7h8IJb6bn7VytfO4"}
	if !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q", kinds, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, keys := range map[string]Keys{
		"not one of EdDSA":     {Algorithm: "HS256"},
		"one key is needed":    {Algorithm: RS256},
		"not an Ed25519 key":   {Ed25519: []ed25519.PrivateKey{{1}}},
		"is not a key of P-25": {Algorithm: ES256, EC: []*ecdsa.PrivateKey{nil}},
		"less than 2048 bits":  {Algorithm: RS256, RSA: []*rsa.PrivateKey{nil}},
	} {
		if _, err := New(keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzS690_Open(f *testing.F) {
	s := signer(f, ring(f, "a"), ES256)
	token, err := s.Token("JWT", map[string]int{"n": 1})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{token, "", "..", token + ".", strings.ToUpper(token)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		if claims, err := s.Open("JWT", given); err == nil && string(claims) != `{"n":1}` {
			t.Errorf("%q opens as %s", given, claims)
		}
	})
}
