package cloudfront

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // CloudFront's default
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Hash is the algorithm by which policies are hashed before they are signed. The zero value is [SHA1], which
// CloudFront assumes of cookies that name none.
type Hash string

const (
	// SHA1 is understood by every distribution and needs no cookie of its own.
	SHA1 Hash = "SHA1"
	// SHA256 is named to CloudFront in a further cookie, CloudFront-Hash-Algorithm. Prefer it.
	SHA256 Hash = "SHA256"
)

func (h Hash) check() error {
	if h != "" && h != SHA1 && h != SHA256 {
		return fmt.Errorf("hash %q: CloudFront takes %s and %s", string(h), SHA1, SHA256)
	}
	return nil
}

// cookie is the value of CloudFront-Hash-Algorithm; SHA1 goes without, so that its cookies stay as they
// were before CloudFront knew a second algorithm.
func (h Hash) cookie() string {
	if h == SHA256 {
		return string(SHA256)
	}
	return ""
}

func (h Hash) sum(message []byte) ([]byte, crypto.Hash) {
	if h == SHA256 {
		d := sha256.Sum256(message)
		return d[:], crypto.SHA256
	}
	d := sha1.Sum(message)
	return d[:], crypto.SHA1
}

// Key is the private key of a CloudFront public key, with the id that CloudFront gave to the latter. It
// prints as its id, never as its secret. The zero Key is refused wherever a key is needed.
type Key struct {
	id     string
	signer crypto.Signer
}

// NewKey takes a key that something else holds, a key management service or a hardware module say. CloudFront
// checks RSA keys of 2048 bits and ECDSA keys on the curve P-256. The signer is called while a request waits,
// so one that goes over a network needs a timeout of its own. The error wraps [ErrKey].
func NewKey(id string, signer crypto.Signer) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	if signer == nil {
		return Key{}, fmt.Errorf("use key %s: %w: the signer is missing", id, ErrKey)
	}
	switch pub := signer.Public().(type) {
	case *rsa.PublicKey:
		if bits := pub.N.BitLen(); bits != 2048 {
			return Key{}, fmt.Errorf("use key %s: %w: RSA of %d bits, CloudFront key groups take 2048", id, ErrKey, bits)
		}
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("use key %s: %w: ECDSA on %s, CloudFront key groups take P-256", id, ErrKey, pub.Curve.Params().Name)
		}
	default:
		return Key{}, fmt.Errorf("use key %s: %w: %T, CloudFront key groups take RSA 2048 and ECDSA P-256", id, ErrKey, pub)
	}
	return Key{id: id, signer: signer}, nil
}

// ParseKey reads a private key in PEM: PKCS#1 ("RSA PRIVATE KEY"), SEC 1 ("EC PRIVATE KEY") or PKCS#8
// ("PRIVATE KEY"), unencrypted. Line breaks may be written as \n, as environment variables often have them. The
// id is that of the CloudFront public key, for example K2JCJMDEHXQW5F. The error wraps [ErrKey] and holds
// nothing of the key.
func ParseKey(id string, text []byte) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	if !bytes.ContainsRune(bytes.TrimSpace(text), '\n') {
		text = bytes.ReplaceAll(text, []byte(`\n`), []byte("\n"))
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return Key{}, fmt.Errorf("read key %s: %w: no PEM private key found", id, ErrKey)
		}
		if block.Type == "EC PARAMETERS" { // openssl ecparam -genkey writes it in front of the key
			text = rest
			continue
		}
		signer, err := parseBlock(block)
		if err != nil {
			return Key{}, fmt.Errorf("read key %s: %w: %w", id, ErrKey, err)
		}
		return NewKey(id, signer)
	}
}

// LoadKey is [ParseKey] for a file. Errors of the file system are wrapped as they are.
func LoadKey(id, file string) (Key, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Key{}, fmt.Errorf("read key %s: %w", id, err)
	}
	return ParseKey(id, text)
}

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	if strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("it is encrypted; decrypt it with: openssl pkey -in FILE -out DECRYPTED")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%T cannot sign", key)
		}
		return signer, nil
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, errors.New("it is the public half, which belongs in CloudFront; give the private one")
	}
	return nil, fmt.Errorf("PEM block %q is not a private key", block.Type)
}

func checkKeyID(id string) error {
	if id == "" {
		return fmt.Errorf("use key: %w: its id is missing; CloudFront lists it under public keys, for example K2JCJMDEHXQW5F", ErrKey)
	}
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	}
	if len(id) > 128 || strings.ContainsFunc(id, other) {
		return fmt.Errorf("use key %.140q: %w: an id is made of letters and digits", id, ErrKey)
	}
	return nil
}

// ID returns the id of the CloudFront public key.
func (k Key) ID() string { return k.id }

// sign returns a PKCS #1 v1.5 signature for RSA and an ASN.1 one for ECDSA.
func (k Key) sign(h Hash, message []byte) ([]byte, error) {
	if k.signer == nil {
		return nil, fmt.Errorf("sign policy: %w: the key is missing", ErrKey)
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("sign policy: %w", err)
	}
	digest, algorithm := h.sum(message)
	signature, err := k.signer.Sign(rand.Reader, digest, algorithm)
	if err != nil {
		return nil, fmt.Errorf("sign policy with key %s: %w", k.id, err)
	}
	// A foreign signer that pads or encodes differently would lock every user out of the files.
	if !k.verify(h, message, signature) {
		return nil, fmt.Errorf("sign policy with key %s: %w: its signatures do not fit its public key", k.id, ErrKey)
	}
	return signature, nil
}

func (k Key) verify(h Hash, message, signature []byte) bool {
	digest, algorithm := h.sum(message)
	switch pub := k.signer.Public().(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, algorithm, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(pub, digest, signature)
	}
	return false
}

// String returns the id, which is public.
func (k Key) String() string { return "cloudfront key " + k.id }

// GoString is [Key.String].
func (k Key) GoString() string { return k.String() }

// Format prints [Key.String] for every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// MarshalText returns [Key.String].
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue returns [Key.String].
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
