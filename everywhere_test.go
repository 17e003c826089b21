package codegrant_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
)

// TestS586_WhatThePoolIsTold: by a token that may, all refresh tokens of the person are
// revoked; by any other, and where the pool does not do so, the one of this browser with its
// login session, and the answer says that others go on.
func TestS586_WhatThePoolIsTold(t *testing.T) {
	const admin = "aws.cognito.signin.user.admin"
	for name, tt := range map[string]struct {
		scopes []string
		fault  bool
		want   []string // operations, in order
		others bool     // go on
	}{
		"with the scope":             {[]string{"openid", admin}, false, []string{"GlobalSignOut"}, false},
		"without it":                 {[]string{"openid"}, false, []string{"RevokeToken LINKED"}, true},
		"where the pool does not do": {[]string{"openid", admin}, true, []string{"GlobalSignOut", "RevokeToken LINKED"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			var pool, app http.Handler
			poolServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(bytes.NewReader(body))
					var in struct{ RevokeAssociatedSessions string }
					_ = json.Unmarshal(body, &in)
					mu.Lock()
					asked = append(asked, strings.TrimSpace(operation+" "+in.RevokeAssociatedSessions))
					mu.Unlock()
				}
				pool.ServeHTTP(w, r)
			}))
			defer poolServer.Close()
			appServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
			defer appServer.Close()
			seed := localpool.DefaultSeed(appServer.URL)
			seed.Pools[0].Clients[0].Scopes = []string{"openid", admin}
			local, err := localpool.New(localpool.Config{Seed: seed, BaseURL: poolServer.URL, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer local.Close()
			pool = local
			if tt.fault {
				local.Fault("GlobalSignOut", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
			}
			client := local.Clients()[0]
			auth, err := codegrant.New(codegrant.Config{BaseURL: appServer.URL, Scopes: tt.scopes, Logger: slog.New(slog.DiscardHandler), Pool: cognito.Pool{
				ID: client.PoolID, Domain: poolServer.URL, Issuer: client.Issuer, ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret),
			}})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			mux.Handle("/", auth.Require()(http.NotFoundHandler()))
			app = mux

			b := codegranttest.NewBrowser(t)
			b.SignIn(appServer.URL+"/x", "alice@example.com", codegranttest.Password)
			r := endMine(t, appServer.URL, b, "everywhere", "same-origin")
			var report codegrant.Everywhere
			if err := json.NewDecoder(r.Body).Decode(&report); err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("%d %v", r.StatusCode, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(slices.Compact(asked), tt.want) {
				t.Errorf("the pool was asked for %q, want %q", asked, tt.want)
			}
			goOn := slices.ContainsFunc(report.NotDone, func(n codegrant.NotDone) bool { return n.What == "refresh_tokens" })
			if goOn != tt.others {
				t.Errorf("not done: %+v", report.NotDone)
			}
		})
	}
}

// TestS587_ManySignInsAtOnce: they see each other, and as many as the limit stay.
func TestS587_ManySignInsAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		limit, many int
		refuse      bool
	}{
		"the oldest end": {2, 8, false}, "new ones are refused": {2, 8, true},
		"the oldest ends": {1, 2, false}, "the new one is refused": {1, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			limit, many, refuse := tt.limit, tt.many, tt.refuse
			a := newApp(t, func(c *codegrant.Config) { c.Own.PerPerson, c.Own.RefuseFurther = limit, refuse })
			browsers := make([]*codegranttest.Browser, many)
			var all sync.WaitGroup
			for i := range browsers {
				browsers[i] = codegranttest.NewBrowser(t)
				all.Go(func() {
					browsers[i].SignIn(a.url+"/auth/login?redirect_uri=/open", "alice@example.com", codegranttest.Password)
				})
			}
			all.Wait()
			in := 0
			for _, b := range browsers {
				if get(t, b.Client, a.url+"/auth/user").StatusCode == http.StatusOK {
					in++
				}
			}
			if in != limit {
				t.Errorf("%d of %d are signed in, the limit is %d", in, many, limit)
			}
		})
	}
}
