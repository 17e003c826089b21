//go:build linux

package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// parts is the server's share of a sign-in that nobody can leave out: one call of the
// token endpoint, and the signatures of two tokens. Its other requests are bare ones.
type parts struct {
	tokenURL  string
	key       *rsa.PublicKey
	signed    [sha256.Size]byte
	signature []byte
}

func newParts(tokenURL string) (*parts, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	p := &parts{tokenURL: tokenURL, key: &key.PublicKey, signed: sha256.Sum256([]byte("a token"))}
	p.signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, p.signed[:])
	return p, err
}

func (p *parts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/callback" {
		return
	}
	if err := p.callback(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (p *parts) callback(ctx context.Context) error {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {strings.Repeat("c", 36)}, "client_id": {clientID},
		"redirect_uri": {p.tokenURL}, "code_verifier": {strings.Repeat("v", 43)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var tokens map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil {
		return fmt.Errorf("the token endpoint: %w", err)
	}
	for range 2 {
		if err := rsa.VerifyPKCS1v15(p.key, crypto.SHA256, p.signed[:], p.signature); err != nil {
			return err
		}
	}
	return nil
}

// signsInBare has the parts done, each time over a new connection, as a browser has one:
// a page that asks for a sign-in, the way to the pool, the callback, and the page.
func signsInBare(at string) func(context.Context, int) error {
	return func(ctx context.Context, times int) error {
		var all []wire.Request
		for _, path := range []string{"/orders", "/auth/login", "/callback", "/orders"} {
			request, err := wire.Get(at+path, nil)
			if err != nil {
				return err
			}
			all = append(all, request)
		}
		for range times {
			if err := ask(ctx, all, 0, len(all)); err != nil {
				return err
			}
		}
		return nil
	}
}
