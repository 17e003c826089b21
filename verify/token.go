package verify

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// maxToken is what a token may be long. A user may be in 100 groups with names of
// 128 characters, and a trigger may add claims.
const maxToken = 16 << 10

// token is a compact JWS that was taken apart, and not verified.
type token struct {
	signed    string // header and payload as they were signed
	keyID     string
	members   []member
	signature []byte
}

var strictBase64 = base64.RawURLEncoding.Strict()

// parse takes a token apart before anything in it is believed. It is stricter
// than the libraries are, so that a token has one form only and its hash can
// stand for it.
func parse(raw string) (*token, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(raw))
	}
	header, rest, ok := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return nil, fmt.Errorf("%w: it does not have three parts", ErrMalformed)
	}
	t := &token{signed: raw[:len(header)+1+len(payload)]}
	headerJSON, err := decodePart(header)
	if err != nil {
		return nil, err
	}
	payloadJSON, err := decodePart(payload)
	if err != nil {
		return nil, err
	}
	if t.signature, err = decodePart(signature); err != nil {
		return nil, err
	}
	if err := t.readHeader(headerJSON); err != nil {
		return nil, err
	}
	if t.members, err = readObject(payloadJSON); err != nil {
		return nil, err
	}
	return t, nil
}

// decodePart refuses padding, white space and trailing bits. The decoder alone
// would skip line breaks.
func decodePart(part string) ([]byte, error) {
	b, err := strictBase64.DecodeString(part)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(part) {
		return nil, fmt.Errorf("%w: a part is not base64url", ErrMalformed)
	}
	return b, nil
}

// readHeader takes the header that Cognito makes: alg and kid. Keys that a token
// brings along are nobody's business, and what must be understood is not.
func (t *token) readHeader(b []byte) error {
	members, err := readObject(b)
	if err != nil {
		return err
	}
	algorithm := ""
	for _, m := range members {
		switch m.name {
		case "alg":
			if algorithm, err = text(m.raw); err != nil {
				return fmt.Errorf("%w: alg is not a string", ErrHeader)
			}
		case "kid":
			if t.keyID, err = text(m.raw); err != nil {
				return fmt.Errorf("%w: kid is not a string", ErrHeader)
			}
		case "typ":
			if kind, err := text(m.raw); err != nil || (!strings.EqualFold(kind, "JWT") && !strings.EqualFold(kind, "at+jwt")) {
				return fmt.Errorf("%w: typ is not JWT", ErrHeader)
			}
		case "crit", "b64", "zip", "enc", "cty":
			return fmt.Errorf("%w: %s", ErrHeader, m.name)
		default:
			switch folded(m.name) {
			case "alg", "kid", "typ", "crit", "b64", "zip", "enc", "cty":
				return fmt.Errorf("%w: a name differs from a registered one in case alone", ErrHeader)
			}
		}
	}
	if algorithm != "RS256" {
		return ErrAlgorithm
	}
	if t.keyID == "" || len(t.keyID) > 256 {
		return fmt.Errorf("%w: kid is missing or too long", ErrHeader)
	}
	return nil
}
