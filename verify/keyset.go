package verify

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// keysByID are the keys of a pool by their ids. Usually an id has one key.
type keysByID map[string][]*rsa.PublicKey

// maxSameID bounds how many keys of one id are tried on a token.
const maxSameID = 4

// parseKeySet reads a JWK set (RFC 7517). Each entry is judged by itself: one that
// cannot be for RS256, is too weak for it, or is not even JSON within its brackets
// is left out, and the others stay. Of several keys with one id all are kept.
func parseKeySet(body []byte) (keysByID, error) {
	entries, err := keyEntries(string(body))
	if err != nil {
		return nil, fmt.Errorf("the answer is not a JWK set: %w", err)
	}
	keys := make(keysByID)
	for _, raw := range entries {
		keyID, key, ok := parseKey(raw)
		same := keys[keyID]
		if !ok || len(same) == maxSameID || slices.ContainsFunc(same, func(k *rsa.PublicKey) bool { return k.Equal(key) }) {
			continue
		}
		keys[keyID] = append(same, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWK set has no key that could verify RS256")
	}
	return keys, nil
}

var (
	errNoKeys    = errors.New("it has no list of keys")
	errKeysTwice = errors.New("it has two lists of keys")
)

// keyEntries returns the elements of the list "keys" in one JSON object. What is
// within an element, or in another member, is not looked at except for where it
// ends: it may be nested as deeply as it likes, and be no valid JSON or UTF-8.
func keyEntries(s string) (entries []string, err error) {
	r := reader{s: s}
	r.space()
	if r.peek() != '{' {
		return nil, errNotObject
	}
	members, ok := r.parts('}')
	r.space()
	if !ok || r.i != len(s) {
		return nil, errNotObject
	}
	found := false
	for _, m := range members {
		list, ok := listOfKeys(m)
		if !ok {
			continue
		}
		if found {
			return nil, errKeysTwice
		}
		found = true
		r := reader{s: list}
		if r.peek() != '[' {
			return nil, errNoKeys
		}
		entries, _ = r.parts(']') // it has passed as part of the whole
	}
	if !found {
		return nil, errNoKeys
	}
	return entries, nil
}

// listOfKeys returns the value of a member that is named "keys".
func listOfKeys(raw string) (value string, ok bool) {
	r := reader{s: raw}
	if r.str() != nil || unquote(raw[:r.i]) != "keys" {
		return "", false
	}
	r.space()
	if r.peek() != ':' {
		return "", false
	}
	r.i++
	r.space()
	return raw[r.i:], true
}

// parts goes over an object or array by its brackets and strings alone, and returns
// what stands between its commas. ok is false where the brackets do not match.
func (r *reader) parts(end byte) (parts []string, ok bool) {
	open := []byte{end}
	start := r.i + 1
	add := func() {
		if part := strings.Trim(r.s[start:r.i], " \t\r\n"); part != "" {
			parts = append(parts, part)
		}
	}
	for r.i++; r.i < len(r.s); r.i++ {
		switch c := r.s[r.i]; c {
		case '"':
			if !r.skipString() {
				return nil, false
			}
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '}', ']':
			if c != open[len(open)-1] {
				return nil, false
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				add()
				r.i++
				return parts, true
			}
		case ',':
			if len(open) == 1 {
				add()
				start = r.i + 1
			}
		}
	}
	return nil, false
}

// skipString goes to the quote that ends the string, whatever is within it.
func (r *reader) skipString() bool {
	for r.i++; r.i < len(r.s); r.i++ {
		switch r.s[r.i] {
		case '"':
			return true
		case '\\':
			r.i++
		}
	}
	return false
}

const (
	minModulus  = 2048 // bits
	maxModulus  = 8192
	maxExponent = 1<<31 - 1 // what crypto/rsa takes
)

// parseKey reads one JWK (RFC 7517, section 4; RFC 7518, section 6.3.1) and
// reports whether it can verify RS256 signatures.
func parseKey(raw string) (keyID string, key *rsa.PublicKey, ok bool) {
	members, err := readObject(raw)
	if err != nil {
		return "", nil, false
	}
	var n, e *big.Int
	kind := ""
	for _, m := range members {
		ok := true
		switch m.name {
		case "kty":
			kind, ok = asText(m.raw)
		case "kid":
			keyID, ok = asText(m.raw)
		case "use":
			ok = m.raw == `"sig"`
		case "alg":
			ok = m.raw == `"RS256"`
		case "key_ops":
			operations, isList := asTexts(m.raw)
			ok = isList && slices.Contains(operations, "verify")
		case "n":
			n, ok = asNumber(m.raw)
		case "e":
			e, ok = asNumber(m.raw)
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			ok = false // a private key that is published is nobody's
		}
		if !ok {
			return "", nil, false
		}
	}
	switch {
	case kind != "RSA", keyID == "", n == nil, e == nil,
		n.BitLen() < minModulus, n.BitLen() > maxModulus, n.Bit(0) == 0,
		e.Cmp(big.NewInt(3)) < 0, e.Cmp(big.NewInt(maxExponent)) > 0, e.Bit(0) == 0:
		return "", nil, false
	}
	return keyID, &rsa.PublicKey{N: n, E: int(e.Int64())}, true
}

// asNumber takes a Base64urlUInt (RFC 7518, section 2).
func asNumber(raw string) (*big.Int, bool) {
	text, ok := asText(raw)
	if !ok || text == "" {
		return nil, false
	}
	b, err := strictBase64.DecodeString(text)
	return new(big.Int).SetBytes(b), err == nil
}
