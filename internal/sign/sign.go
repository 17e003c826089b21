package sign

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The algorithms, as JWTs name them.
const (
	EdDSA = "EdDSA" // Ed25519, RFC 8037
	ES256 = "ES256" // P-256
	RS256 = "RS256" // RSA, 2048 bits or more
)

// Keys are what a [Signer] signs with: the first one of Algorithm. All are published.
type Keys struct {
	Ed25519   []ed25519.PrivateKey
	EC        []*ecdsa.PrivateKey
	RSA       []*rsa.PrivateKey
	Algorithm string // defaults to EdDSA
}

// Signer makes JWTs, and opens those that it, or another one with its keys, has made. It
// is safe for concurrent use.
type Signer struct {
	keys []key // those that sign first
	jwks []byte
}

// key is one of them, in both halves.
type key struct {
	jwk
	sign   func(input []byte) ([]byte, error)
	verify func(input, signature []byte) bool
}

// jwk is a public key (RFC 7517).
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	Alg string `json:"alg"`
	Use string `json:"use"`
	Kid string `json:"kid"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

// New checks the keys.
func New(keys Keys) (*Signer, error) {
	algorithm := cmp.Or(keys.Algorithm, EdDSA)
	signing, ok := map[string]int{EdDSA: len(keys.Ed25519), ES256: len(keys.EC), RS256: len(keys.RSA)}[algorithm]
	switch {
	case !ok:
		return nil, fmt.Errorf("the algorithm %q is not one of EdDSA, ES256 and RS256", algorithm)
	case signing == 0:
		return nil, fmt.Errorf("one key is needed for %s", algorithm)
	}
	s := new(Signer)
	for i, private := range keys.Ed25519 {
		if len(private) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("key %d is not an Ed25519 key", i+1)
		}
		s.keys = append(s.keys, edKey(private))
	}
	for i, private := range keys.EC {
		if private == nil || private.Curve != elliptic.P256() {
			return nil, fmt.Errorf("EC key %d is not a key of P-256", i+1)
		}
		k, err := ecKey(private)
		if err != nil {
			return nil, fmt.Errorf("EC key %d: %w", i+1, err)
		}
		s.keys = append(s.keys, k)
	}
	for i, private := range keys.RSA {
		if private == nil || private.N == nil || private.N.BitLen() < 2048 {
			return nil, fmt.Errorf("RSA key %d has less than 2048 bits", i+1)
		}
		s.keys = append(s.keys, rsaKey(private))
	}
	// Those that sign go first: some verifiers take the first that fits.
	first := func(k key) int {
		if k.Alg == algorithm {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(s.keys, func(a, b key) int { return first(a) - first(b) })
	public := make([]jwk, len(s.keys))
	for i, k := range s.keys {
		public[i] = k.jwk
	}
	var err error
	s.jwks, err = json.Marshal(struct {
		Keys []jwk `json:"keys"`
	}{public})
	return s, err
}

func edKey(private ed25519.PrivateKey) key {
	public := private.Public().(ed25519.PublicKey)
	return key{
		jwk:    jwk{Kty: "OKP", Crv: "Ed25519", Alg: EdDSA, Use: "sig", Kid: keyID(public), X: encoded(public)},
		sign:   func(input []byte) ([]byte, error) { return ed25519.Sign(private, input), nil },
		verify: func(input, signature []byte) bool { return ed25519.Verify(public, input, signature) },
	}
}

func ecKey(private *ecdsa.PrivateKey) (key, error) {
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return key{}, err
	}
	return key{
		jwk: jwk{Kty: "EC", Crv: "P-256", Alg: ES256, Use: "sig", Kid: keyID(point), X: encoded(point[1:33]), Y: encoded(point[33:])},
		sign: func(input []byte) ([]byte, error) {
			sum := sha256.Sum256(input)
			r, t, err := ecdsa.Sign(rand.Reader, private, sum[:])
			if err != nil {
				return nil, err
			}
			var both [64]byte // as RFC 7518 has them, section 3.4
			r.FillBytes(both[:32])
			t.FillBytes(both[32:])
			return both[:], nil
		},
		verify: func(input, signature []byte) bool {
			sum := sha256.Sum256(input)
			return len(signature) == 64 &&
				ecdsa.Verify(&private.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
		},
	}, nil
}

func rsaKey(private *rsa.PrivateKey) key {
	n, e := private.N.Bytes(), binary.BigEndian.AppendUint32(nil, uint32(private.E))
	return key{
		jwk: jwk{Kty: "RSA", Alg: RS256, Use: "sig", Kid: keyID(n), N: encoded(n), E: encoded(bytes.TrimLeft(e, "\x00"))},
		sign: func(input []byte) ([]byte, error) {
			sum := sha256.Sum256(input)
			return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
		},
		verify: func(input, signature []byte) bool {
			sum := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, sum[:], signature) == nil
		},
	}
}

func keyID(public []byte) string {
	sum := sha256.Sum256(public)
	return encoded(sum[:12])
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// JWKS is the set of public keys (RFC 7517). It is for reading.
func (s *Signer) JWKS() []byte { return s.jwks }

func (k key) header(typ string) string {
	return encoded([]byte(`{"alg":"` + k.Alg + `","kid":"` + k.Kid + `","typ":"` + typ + `"}`))
}

// Token signs claims, which become JSON. typ is the type of the token, such as JWT.
func (s *Signer) Token(typ string, claims any) (string, error) {
	var payload bytes.Buffer
	plain := json.NewEncoder(&payload)
	plain.SetEscapeHTML(false) // which would make six bytes of one
	if err := plain.Encode(claims); err != nil {
		return "", err
	}
	k := s.keys[0]
	input := k.header(typ) + "." + encoded(bytes.TrimSpace(payload.Bytes()))
	signature, err := k.sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + encoded(signature), nil
}

// ErrNotOurs: no key of these has signed it, as a token of the type.
var ErrNotOurs = errors.New("not signed by a key of ours, as a token of this type")

// strict64 has one string for each value.
var strict64 = base64.RawURLEncoding.Strict()

// Open returns the claims of a token of a type that [Signer.Token] has made. What they
// say, and whether it is over, is the caller's to check.
func (s *Signer) Open(typ, token string) ([]byte, error) {
	header, rest, _ := strings.Cut(token, ".")
	claims, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.ContainsAny(token, "\r\n") {
		return nil, ErrNotOurs
	}
	for _, k := range s.keys {
		if header != k.header(typ) {
			continue
		}
		raw, err := strict64.DecodeString(signature)
		if err != nil || !k.verify([]byte(header+"."+claims), raw) {
			return nil, ErrNotOurs
		}
		payload, err := strict64.DecodeString(claims)
		if err != nil {
			return nil, ErrNotOurs
		}
		return payload, nil
	}
	return nil, ErrNotOurs
}
