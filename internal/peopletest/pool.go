package peopletest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/bits"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Pool answers what a service asks a user pool over HTTP, without a network: for its
// keys, and for tokens. It signs them some fifty times faster than a pool can.
type Pool struct {
	Issuer, ClientID string
	Now              func() time.Time

	key  key
	mu   sync.Mutex
	says map[string]said // by code, and by refresh token
}

type said struct {
	person Person
	nonce  string
	at     int64 // of the sign-in: a refresh does not change it
}

// NewPool makes one with a key of its own.
func NewPool(issuer, clientID string, now func() time.Time) *Pool {
	return &Pool{Issuer: issuer, ClientID: clientID, Now: now, key: newKey(), says: make(map[string]said)}
}

// Says has tokens for a code, or for a refresh token, be about a person. The refresh
// token that comes with those for a code is the code.
func (p *Pool) Says(code, nonce string, person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.Now().Unix()
	if before, ok := p.says[code]; ok {
		at = before.at
	}
	p.says[code] = said{person, nonce, at}
}

// Forget has a code, or a refresh token, be none.
func (p *Pool) Forget(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.says, code)
}

// RoundTrip implements [http.RoundTripper].
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) {
	var answer any = map[string]any{"keys": []any{map[string]string{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": encode(p.key.modulus.Bytes()), "e": "AQAB"}}}
	status := http.StatusOK
	if strings.HasSuffix(r.URL.Path, "/token") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		if answer, err = p.tokens(form.Get("code") + form.Get("refresh_token")); err != nil {
			answer, status = map[string]string{"error": "invalid_grant"}, http.StatusBadRequest
		}
	}
	content, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(content)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(content)),
	}, nil
}

func (p *Pool) tokens(code string) (any, error) {
	p.mu.Lock()
	s, ok := p.says[code]
	p.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("nobody was said to have %q", code)
	}
	now := p.Now().Unix()
	both := func(use string) map[string]any {
		claims := map[string]any{"iss": p.Issuer, "sub": s.person.Subject, "token_use": use, "iat": now, "exp": now + 3600, "auth_time": s.at, "jti": rand.Text(), "origin_jti": code}
		if len(s.person.Groups) > 0 {
			claims["cognito:groups"] = s.person.Groups
		}
		return claims
	}
	id, access := both("id"), both("access")
	for name, value := range s.person.Attributes {
		switch name {
		case "email_verified", "phone_number_verified":
			id[name] = value == "true"
		case "address":
			id[name] = map[string]string{"formatted": value}
		default:
			id[name] = value
		}
	}
	id["aud"], id["cognito:username"] = p.ClientID, s.person.Username
	access["client_id"], access["username"], access["scope"] = p.ClientID, s.person.Username, "openid profile"
	if s.nonce != "" {
		id["nonce"] = s.nonce
	}
	return map[string]any{"id_token": p.key.sign(id), "access_token": p.key.sign(access), "refresh_token": code, "expires_in": 3600, "token_type": "Bearer"}, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// key is of RSA, with so many primes that each fits a word of the machine: it signs fast,
// and whoever likes to can factor it.
type key struct {
	modulus *big.Int
	primes  []prime
}

type prime struct {
	p, exponent uint64
	part        *big.Int // 1 for p and 0 for each other
}

func newKey() key {
	const primes, width = 33, 63
	e := big.NewInt(65537)
	k := key{modulus: big.NewInt(1)}
	for len(k.primes) < primes {
		p, err := rand.Prime(rand.Reader, width)
		if err != nil {
			panic(err)
		}
		exponent := new(big.Int).ModInverse(e, new(big.Int).Sub(p, big.NewInt(1)))
		if exponent == nil || new(big.Int).Mod(k.modulus, p).Sign() == 0 {
			continue // it has no use for e, or comes twice
		}
		k.primes = append(k.primes, prime{p: p.Uint64(), exponent: exponent.Uint64()})
		k.modulus.Mul(k.modulus, p)
	}
	for i := range k.primes {
		p := new(big.Int).SetUint64(k.primes[i].p)
		others := new(big.Int).Div(k.modulus, p)
		k.primes[i].part = new(big.Int).Mul(others, new(big.Int).ModInverse(others, p))
	}
	return k
}

// power is base^p.exponent modulo p.
func (p *prime) power(base uint64) uint64 {
	times := func(a, b uint64) uint64 {
		high, low := bits.Mul64(a, b)
		return bits.Rem64(high, low, p.p)
	}
	product := uint64(1)
	for e := p.exponent; e > 0; e >>= 1 {
		if e&1 == 1 {
			product = times(product, base)
		}
		base = times(base, base)
	}
	return product
}

// sign makes a token, as RS256: RFC 8017, section 8.2.1.
func (k key) sign(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // texts, numbers, and lists of them
	}
	input := encode([]byte(`{"kid":"1","alg":"RS256"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	size := (k.modulus.BitLen() + 7) / 8
	digest := append([]byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), sum[:]...)
	padded := append(append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(digest))...), 0)
	m, signature, word := new(big.Int).SetBytes(append(padded, digest...)), new(big.Int), new(big.Int)
	for i := range k.primes {
		p := &k.primes[i]
		base := word.Mod(m, word.SetUint64(p.p)).Uint64()
		signature.Add(signature, new(big.Int).Mul(word.SetUint64(p.power(base)), p.part))
	}
	return input + "." + encode(signature.Mod(signature, k.modulus).FillBytes(make([]byte, size)))
}
