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
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Pool answers what a service asks a user pool over HTTP, without a network: for its
// keys, and for tokens. It signs them some ten times faster than a pool can.
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

// key is of RSA, with eight primes: what is computed for each is short.
type key struct {
	modulus *big.Int
	primes  []prime
}

type prime struct{ p, exponent, part *big.Int } // part is 1 for p and 0 for each other

func newKey() key {
	e, one := big.NewInt(65537), big.NewInt(1)
	for {
		k := key{modulus: big.NewInt(1)}
		for range 8 {
			p, err := rand.Prime(rand.Reader, 257)
			if err != nil {
				panic(err)
			}
			exponent := new(big.Int).ModInverse(e, new(big.Int).Sub(p, one))
			if exponent == nil {
				break
			}
			k.primes = append(k.primes, prime{p: p, exponent: exponent})
			k.modulus.Mul(k.modulus, p)
		}
		if len(k.primes) < 8 {
			continue
		}
		for i := range k.primes {
			others := new(big.Int).Div(k.modulus, k.primes[i].p)
			inverse := new(big.Int).ModInverse(others, k.primes[i].p)
			if inverse == nil {
				return newKey() // a prime twice
			}
			k.primes[i].part = others.Mul(others, inverse)
		}
		return k
	}
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
	m, signature := new(big.Int).SetBytes(append(padded, digest...)), new(big.Int)
	for _, p := range k.primes {
		s := new(big.Int).Exp(m, p.exponent, p.p)
		signature.Add(signature, s.Mul(s, p.part))
	}
	return input + "." + encode(signature.Mod(signature, k.modulus).FillBytes(make([]byte, size)))
}
