package webauthn

import "testing"

// FuzzCredential: what authenticators write is read, or refused.
func FuzzCredential(f *testing.F) {
	f.Add([]byte{0xa1, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e'})
	f.Add(append(make([]byte, 37), 0xa5, 1, 2, 3, 0x26))
	f.Fuzz(func(t *testing.T, b []byte) {
		if value, rest, err := readCBOR(b, 0); err == nil && value == nil && len(rest) == len(b) {
			t.Error("nothing was read")
		}
		if d, err := parseAuthenticator(b); err == nil {
			_, _ = publicKey(d.key)
		}
	})
}
