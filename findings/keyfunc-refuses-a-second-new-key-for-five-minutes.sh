#!/usr/bin/env bash
# One would guess: keyfunc.NewDefault, which keeps the keys of an issuer for golang-jwt, looks
# a key up again when a token names one that it does not have. That is how it finds the new
# key after an issuer has replaced its keys.
#
# What happens: it does so once in five minutes. The first token with a new key id causes a
# fetch and passes. A token with the next new key id is refused at once, without a fetch, with
# an error of the rate limiter; it passes when five minutes are over.
#
# Who meets it: whoever restarts a local identity provider that makes new keys at its start
# (the second restart refuses everybody), and services that get tokens of a second issuer
# shortly before the first issuer replaces its keys. NewDefaultOverrideCtx has the limiter as
# a setting.
#
# github.com/MicahParks/keyfunc/v3 v3.9.2, github.com/MicahParks/jwkset v0.11.4,
# github.com/golang-jwt/jwt/v5 v5.3.1. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/MicahParks/jwkset v0.11.4
	github.com/MicahParks/keyfunc/v3 v3.9.2
	github.com/golang-jwt/jwt/v5 v5.3.1
)
MOD
cat >main.go <<'GO'
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

type issuer struct {
	sync.Mutex
	n, fetched int
	key        *rsa.PrivateKey
}

func (i *issuer) kid() string { return fmt.Sprint("key-", i.n) }

func (i *issuer) rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	i.Lock()
	defer i.Unlock()
	i.n, i.key = i.n+1, key
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.Lock()
	defer i.Unlock()
	i.fetched++
	text := base64.RawURLEncoding.EncodeToString
	json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": i.kid(),
		"n": text(i.key.N.Bytes()), "e": text(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

func main() {
	i := new(issuer)
	i.rotate()
	server := httptest.NewServer(i)
	defer server.Close()
	keys, err := keyfunc.NewDefault([]string{server.URL})
	if err != nil {
		panic(err)
	}
	var seen [3]bool
	for turn := range seen {
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Minute).Unix()})
		token.Header["kid"] = i.kid()
		text, err := token.SignedString(i.key)
		if err != nil {
			panic(err)
		}
		_, err = jwt.Parse(text, keys.Keyfunc)
		fmt.Printf("%s, the key set was fetched %d times: %v\n", i.kid(), i.fetched, err)
		seen[turn] = err == nil
		i.rotate()
	}
	if seen != [3]bool{true, true, false} || i.fetched != 2 {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go version
go list -m github.com/MicahParks/keyfunc/v3 github.com/MicahParks/jwkset github.com/golang-jwt/jwt/v5
go run .
