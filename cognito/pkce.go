package cognito

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// NewCodeVerifier draws a code verifier of 256 bits (RFC 7636, section 4.1).
func NewCodeVerifier() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// CodeChallenge returns the S256 challenge of a verifier (RFC 7636, section 4.2).
func CodeChallenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
