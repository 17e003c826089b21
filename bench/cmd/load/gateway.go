//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// settings are what a gateway is started with.
type settings struct {
	upstream string   // empty: no routes
	routes   string   // in place of the one to it
	redis    string   // with a prefix; empty: sessions in memory
	ops      string   // address; empty: none
	access   bool     // an access log, to a file
	socket   string   // a Unix socket to listen on, in place of the address; empty: none
	build    []string // flags of go build
	peer     string   // address of another gateway that is a client of the pool; empty: none
}

// gateway is a codegrant serve process, with a pool that people sign in to.
type gateway struct {
	*process
	pool *http.Server
	dir  string

	poolURL string
	end     context.CancelFunc
}

const (
	poolID   = "local_Load12345"
	peerID   = "1load2test3peer4with5secret"
	clientID = "1load2test3client4with5no6secret"
	password = "Passw0rd!"
)

// newGateway starts one.
func newGateway(ctx context.Context, s settings) (_ *gateway, err error) {
	g := new(gateway)
	ctx, g.end = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.dir, err = os.MkdirTemp("", "codegrant-load-"); err != nil {
		return nil, err
	}
	program, err := build(ctx, g.dir, s.build...)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g.poolURL = "http://" + listener.Addr().String()
	clients := []localpool.ClientSeed{{
		ID: clientID, CallbackURLs: []string{"http://" + address + "/auth/callback"}, AuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	}}
	if s.peer != "" {
		clients = append(clients, localpool.ClientSeed{ID: peerID, Secret: password + password, CallbackURLs: []string{"http://" + s.peer + "/oauth2/callback"}})
	}
	pool, err := localpool.New(localpool.Config{BaseURL: g.poolURL, Logger: slog.New(slog.DiscardHandler), Seed: localpool.Seed{Pools: []localpool.PoolSeed{{
		ID:      poolID,
		Clients: clients,
		Groups:  []localpool.GroupSeed{{Name: "admins"}, {Name: "analysts"}},
		Users:   []localpool.UserSeed{{Username: "alice", Email: "alice@example.com", Name: "Alice Adams", Password: password, Groups: []string{"admins", "analysts"}}},
	}}}})
	if err != nil {
		return nil, err
	}
	g.pool = &http.Server{Handler: pool, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = g.pool.Serve(listener) }()

	listen := address
	if s.socket != "" {
		listen = "unix:" + s.socket
	}
	config := fmt.Sprintf(`
listen: %[6]s
base_url: http://%[1]s
log: {level: info, format: json, access: %[2]t}
limits: {requests: 0, sign_in_rate: 0, account_sign_in_rate: 0, max_sessions: 2000000}
pools: [{id: %[3]s, domain: "%[4]s", issuer: "%[4]s/%[3]s", client_id: %[5]s, accept_tokens: true}]
`, address, s.access, poolID, g.poolURL, clientID, listen)
	if s.upstream != "" {
		config += "routes: [{path: /, upstream: \"" + s.upstream + "\"}]\n"
	}
	if s.routes != "" {
		config += "routes:" + s.routes
	}
	if s.redis != "" {
		key := make([]byte, 32)
		rand.Read(key)
		config += "sessions: redis\nredis: \"" + s.redis + "\"\nkeys: [\"" + base64.StdEncoding.EncodeToString(key) + "\"]\n"
	}
	if s.ops != "" {
		config += "ops_listen: " + s.ops + "\n"
	}
	g.process, err = startCodegrant(ctx, g.dir, program, listen, config)
	return g, err
}

// close ends the process and the pool.
func (g *gateway) close() {
	g.end()
	if g.process != nil {
		g.process.stop()
	}
	if g.pool != nil {
		_ = g.pool.Close()
	}
	if g.dir != "" {
		_ = os.RemoveAll(g.dir)
	}
}

// tokens are those of a sign-in at the pool.
func (g *gateway) tokens(ctx context.Context) (map[string]string, error) {
	var answer struct {
		AuthenticationResult struct {
			IDToken      string `json:"IdToken"`
			AccessToken  string
			RefreshToken string
		}
	}
	target := http.Header{"X-Amz-Target": {"AWSCognitoIdentityProviderService.InitiateAuth"}, "Content-Type": {"application/x-amz-json-1.1"}}
	if _, err := g.post(ctx, g.poolURL+"/", target, map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": clientID, "AuthParameters": map[string]string{"USERNAME": "alice", "PASSWORD": password},
	}, http.StatusOK, &answer); err != nil {
		return nil, fmt.Errorf("sign in at the pool: %w", err)
	}
	return map[string]string{
		"id_token": answer.AuthenticationResult.IDToken, "access_token": answer.AuthenticationResult.AccessToken,
		"refresh_token": answer.AuthenticationResult.RefreshToken,
	}, nil
}

// signIn opens sessions for tokens that the pool has given, and returns their cookies.
func (g *gateway) signIn(ctx context.Context, n int) ([][]*http.Cookie, error) {
	tokens, err := g.tokens(ctx)
	if err != nil {
		return nil, err
	}
	var all [][]*http.Cookie
	for range n {
		cookies, err := g.post(ctx, g.url+"/auth/session", http.Header{"Content-Type": {"application/json"}}, tokens, http.StatusCreated, nil)
		if err != nil {
			return nil, fmt.Errorf("sign in at the gateway: %w", err)
		}
		if len(cookies) == 0 {
			return nil, errors.New("sign in at the gateway: it sets no cookie")
		}
		all = append(all, cookies)
	}
	return all, nil
}

// post sends JSON.
func (g *gateway) post(ctx context.Context, url string, header http.Header, body any, want int, into any) ([]*http.Cookie, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, fmt.Errorf("%s: %.200s", response.Status, said)
	}
	if into != nil {
		return nil, json.Unmarshal(said, into)
	}
	return response.Cookies(), nil
}
