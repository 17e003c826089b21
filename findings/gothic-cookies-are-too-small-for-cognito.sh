#!/usr/bin/env bash
# One would guess: gothic, the part of goth that its guide begins with, signs people in with
# any of goth's providers as it comes; its sessions are in cookies.
#
# What happens: CompleteUserAuth keeps all tokens in the session. Amazon Cognito's access
# token and refresh token, which have some 1,000 and 1,800 characters, are longer, once
# sealed and encoded, than the 4,096 that securecookie takes. The sign-in ends with
# "securecookie: the value is too long", after the code was redeemed. With tokens of a few
# hundred characters it passes. A store of files with MaxLength(0) passes too.
#
# Who meets it: whoever uses goth with Cognito, or another provider of long tokens, and a
# sessions.CookieStore, which is gothic's default.
#
# github.com/markbates/goth v1.82.0, github.com/gorilla/sessions v1.4.0. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/gorilla/sessions v1.4.0
	github.com/markbates/goth v1.82.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/cognito"
)

func token(characters int) string {
	b := make([]byte, characters)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:characters]
}

func main() {
	gothic.Store = sessions.NewCookieStore([]byte("a key of thirty-two characters.."))
	access, refresh := 0, 0
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := url.Values{"code": {"1"}, "state": {r.FormValue("state")}}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": token(access), "refresh_token": token(refresh), "token_type": "Bearer", "expires_in": 3600})
	})
	mux.HandleFunc("/oauth2/userInfo", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"sub":"1"}`) })
	mux.HandleFunc("/begin", func(w http.ResponseWriter, r *http.Request) {
		gothic.BeginAuthHandler(w, gothic.GetContextWithProvider(r, "cognito"))
	})
	said := ""
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		_, err := gothic.CompleteUserAuth(w, gothic.GetContextWithProvider(r, "cognito"))
		said = fmt.Sprint(err)
	})
	goth.UseProviders(cognito.New("app", "secret", server.URL, server.URL+"/callback", "openid"))
	var seen []string
	for _, sizes := range [][2]int{{300, 300}, {1000, 1800}} {
		access, refresh = sizes[0], sizes[1]
		jar, _ := cookiejar.New(nil)
		response, err := (&http.Client{Jar: jar}).Get(server.URL + "/begin")
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		fmt.Printf("tokens of %d and %d characters: %s\n", access, refresh, said)
		seen = append(seen, said)
	}
	if seen[0] != "<nil>" || seen[1] == "<nil>" {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go version
go list -m github.com/markbates/goth github.com/gorilla/sessions
go run .
