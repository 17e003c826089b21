package codegrant

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func FuzzAttempt(f *testing.F) {
	at := time.Unix(1_700_000_000, 0)
	f.Add(newAttempt(at, "/reports?x=1", demand{}).encode())
	f.Add(newAttempt(at, "/reports?x=1", demand{level: "urn:cognito:loa:3", maxAge: 5 * time.Minute, aged: true}).encode())
	f.Add(newAttempt(at, strings.Repeat("/reports", 200), demand{aged: true}).encode())
	proving := newAttempt(at, "/auth/account/identities", anew)
	proving.proving = "kzLq3"
	f.Add(proving.encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		at, err := decodeAttempt(b)
		if err != nil {
			return
		}
		if again, err := decodeAttempt(at.encode()); err != nil || again != at {
			t.Errorf("a decoded attempt does not survive encoding: %+v, %v, was %+v", again, err, at)
		}
	})
}

// TestAttemptDerives holds state, nonce and code verifier to HKDF of the secret: another
// process, also one of before, has to find the same.
func TestAttemptDerives(t *testing.T) {
	made := newAttempt(time.Unix(1_700_000_000, 0), "/", demand{})
	opened, err := decodeAttempt(made.encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []attempt{made, opened} {
		for label, got := range map[string]string{"state": at.state()[8:], "nonce": at.nonce(), "code verifier": at.codeVerifier()} {
			key, err := hkdf.Key(sha256.New, at.secret[:], nil, "codegrant "+label, 32)
			if err != nil {
				t.Fatal(err)
			}
			if want := base64.RawURLEncoding.EncodeToString(key); got != want {
				t.Errorf("%s = %s, want %s", label, got, want)
			}
		}
	}
}
