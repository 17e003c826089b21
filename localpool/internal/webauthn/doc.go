// Package webauthn makes the options that browsers are asked with for passkeys, and checks
// what authenticators answer (WebAuthn, level 3).
//
// It owns the forms of both and the rules by which an answer counts: the challenge, the
// relying party, the origin, the signature. It refuses attestation, which is not asked for,
// and to decide who may register or sign in: a challenge stands for that, which others keep.
package webauthn
