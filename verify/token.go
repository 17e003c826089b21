package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/internal/quotas"
)

// maxToken is how long a token may be, in bytes: whatever a pool can make within its
// quotas is shorter, and only a trigger can make more of it.
const maxToken = quotas.TokenBytes

// checkSize comes before anything else is done with a token.
func checkSize(raw string) error {
	if len(raw) > maxToken {
		return fmt.Errorf("%w: it has %d bytes, and at most %d are read%s", ErrTooLarge, len(raw), maxToken, mostlyOf(raw))
	}
	return nil
}

// mostlyOf tells what to leave out of a token that is too large, if it is one at all.
func mostlyOf(raw string) string {
	if len(raw) > 2*maxToken {
		return ""
	}
	if largest := LargestClaims(raw); largest != "" {
		return "; most of it are " + largest + ": leave those out of the attributes that the app client may read, or out of what a trigger adds"
	}
	return ""
}

// LargestClaims names the three largest claims of a token with their sizes, as in
// "custom:notes (2050 bytes)". Use it to find out how to make tokens smaller. It does not
// verify the token. Empty: it is not a token.
func LargestClaims(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	members, err := readObject(string(payload))
	if err != nil {
		return ""
	}
	slices.SortStableFunc(members, func(a, b member) int { return len(b.raw) - len(a.raw) })
	var names []string
	for _, m := range members[:min(len(members), 3)] {
		name := strconv.Quote(m.name[:min(len(m.name), 64)])
		names = append(names, fmt.Sprintf("%s (%d bytes)", name[1:len(name)-1], len(m.raw)))
	}
	return strings.Join(names, ", ")
}

// shape is what the issuer's tokens look like.
type shape struct {
	algorithm string
	types     []string // of the header's typ, in lower case; none is fine too
	padded    bool     // the parts may end in padding, as AWS load balancers make them
}

var (
	idToken     = shape{algorithm: "RS256", types: []string{"jwt"}}
	accessToken = shape{algorithm: "RS256", types: []string{"jwt", "at+jwt"}}
)

// token is a compact JWS (RFC 7515, section 7.1) that was taken apart, and not
// verified.
type token struct {
	signed    string // header and payload as they were sent, which is what was signed
	header    []member
	keyID     string
	payload   string
	signature []byte
}

// parse takes a token apart before anything in it is believed. It is stricter
// than JOSE libraries are, so that a token has one form only, and its hash can
// stand for it.
func (s shape) parse(raw string) (*token, error) {
	header, rest, ok := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || header == "" || payload == "" || signature == "" {
		return nil, fmt.Errorf("%w: it does not have three parts", ErrMalformed)
	}
	t := &token{signed: raw[:len(header)+1+len(payload)]}
	buffer := make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(raw)))
	var parts [3][]byte
	for i, part := range [...]string{header, payload, signature} {
		var err error
		if parts[i], err = s.decode(buffer, part); err != nil {
			return nil, err
		}
		buffer = parts[i][len(parts[i]):]
	}
	t.payload, t.signature = string(parts[1]), parts[2]
	if err := t.readHeader(string(parts[0]), s); err != nil {
		return nil, err
	}
	return t, nil
}

var strictBase64 = base64.RawURLEncoding.Strict()

// decode refuses padding, white space and bits that stand for nothing: with any of
// them, one token could be written in several ways.
func (s shape) decode(buffer []byte, part string) ([]byte, error) {
	if s.padded && len(part)%4 == 0 {
		part = strings.TrimSuffix(strings.TrimSuffix(part, "="), "=")
	}
	b, err := strictBase64.AppendDecode(buffer, []byte(part))
	// The decoder skips line breaks, and then returns less than there could be.
	if err != nil || len(b) != base64.RawURLEncoding.DecodedLen(len(part)) {
		return nil, fmt.Errorf("%w: a part is not base64url", ErrMalformed)
	}
	return b, nil
}

// readHeader accepts the header that the issuer makes. Keys that a token brings
// along (jwk, jku, x5u, x5c) are not looked at; what must be understood and is not
// (crit and its kind) is refused, whatever its value.
func (t *token) readHeader(text string, s shape) error {
	members, err := readObject(text)
	if err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	t.header = members
	algorithm := ""
	for _, m := range members {
		switch name := fold(m.name); name {
		case "alg", "kid", "typ", "crit", "b64", "zip", "enc", "cty":
			if name != m.name {
				return fmt.Errorf("%w: a name differs from a registered one only in case", ErrHeader)
			}
		}
		var ok bool
		switch m.name {
		case "alg":
			algorithm, ok = asText(m.raw)
		case "kid":
			t.keyID, ok = asText(m.raw)
		case "typ":
			var kind string
			kind, ok = asText(m.raw)
			ok = ok && slices.Contains(s.types, strings.ToLower(kind))
		case "crit", "b64", "zip", "enc", "cty":
			ok = false
		default:
			ok = true
		}
		if !ok {
			return fmt.Errorf("%w: %s", ErrHeader, m.name)
		}
	}
	if algorithm != s.algorithm {
		return fmt.Errorf("%w: not with %s", ErrAlgorithm, s.algorithm)
	}
	if t.keyID == "" || len(t.keyID) > 256 {
		return fmt.Errorf("%w: kid is missing or too long", ErrHeader)
	}
	return nil
}

// verifyRS256 checks the signature (RFC 7518, section 3.3).
func (t *token) verifyRS256(key *rsa.PublicKey) error {
	sum := hash(t.signed)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], t.signature) != nil {
		return ErrSignature
	}
	return nil
}

// verifyES256 checks the signature (RFC 7518, section 3.4).
func (t *token) verifyES256(key *ecdsa.PublicKey) error {
	const size = 32 // of each of its two numbers
	sum := hash(t.signed)
	r, s := new(big.Int), new(big.Int)
	if len(t.signature) != 2*size || !ecdsa.Verify(key, sum[:], r.SetBytes(t.signature[:size]), s.SetBytes(t.signature[size:])) {
		return ErrSignature
	}
	return nil
}
