package codegrant_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// cookieAuthenticator believes a cookie, as an authenticator of an application may.
type cookieAuthenticator struct{}

func (cookieAuthenticator) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	if c, err := r.Cookie("legacy"); err == nil {
		return &codegrant.Identity{Subject: c.Value, Username: c.Value}, nil
	}
	return nil, nil
}

func (cookieAuthenticator) Challenge(error) string { return "" }

// Browsers repeat the password that they were told, and send the cookies of a load
// balancer or of an application, with requests that other sites cause too.
func TestS065_CrossOriginRequestsWithOtherProofs(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.TrustedOrigins = []string{"https://www.example.com"}
		c.Authenticators = []codegrant.Authenticator{
			codegrant.BasicAuth("shop", func(_ context.Context, name, _ string) (*codegrant.Identity, error) {
				return &codegrant.Identity{Subject: name, Username: name}, nil
			}),
			cookieAuthenticator{},
		}
	})
	pool := a.Clients()[0]
	token, err := a.MintToken(a.PoolID, map[string]any{
		"iss": pool.Issuer, "sub": "s-1", "client_id": pool.ID, "token_use": "access", "username": "carol",
		"iat": a.now.Now().Unix(), "exp": a.now.Now().Add(3600e9).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	basic := []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("robot:x"))}
	cookie := []string{"Cookie", "legacy=carol"}
	bearer := []string{"Authorization", "Bearer " + token}
	evil := []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}
	trusted := []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://www.example.com"}
	for _, tt := range []struct {
		name   string
		method string
		proof  []string
		from   []string
		want   int
	}{
		{"Basic by another site", "POST", basic, evil, 403},
		{"Basic by a trusted site", "POST", basic, trusted, 200},
		{"Basic by a program", "POST", basic, nil, 200},
		{"Basic, reading", "GET", basic, evil, 200},
		{"an application's cookie by another site", "DELETE", cookie, evil, 403},
		{"an application's cookie by a program", "DELETE", cookie, nil, 200},
		{"a token, which no browser sends by itself", "POST", bearer, evil, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := send(t, http.DefaultClient, tt.method, a.url+"/x", append(tt.proof[:2:2], tt.from...)...); r.StatusCode != tt.want {
				t.Errorf("status %d, want %d", r.StatusCode, tt.want)
			}
		})
	}
}

// A WebSocket handshake is a GET that opens a channel for writing, and browsers
// let every site begin one.
func TestS106_WebSocketsOfOtherOrigins(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.TrustedOrigins = []string{"https://www.example.com"} })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for _, tt := range []struct {
		name, site, origin string
		want               int
	}{
		{"sibling", "same-site", "https://evil.example.com", 403},
		{"old browser, another site", "", "https://evil.example", 403},
		{"our own page", "same-origin", a.url, 200},
		{"old browser, our own page", "", a.url, 200},
		{"trusted", "cross-site", "https://www.example.com", 200},
		{"program", "", "", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13"}
			if tt.site != "" {
				header = append(header, "Sec-Fetch-Site", tt.site, "Sec-Fetch-Mode", "websocket")
			}
			if tt.origin != "" {
				header = append(header, "Origin", tt.origin)
			}
			if r := get(t, browser.Client, a.url+"/", header...); r.StatusCode != tt.want {
				t.Errorf("status %d, want %d", r.StatusCode, tt.want)
			}
		})
	}
	// A proxy that asks about a handshake shows some of its headers, each of which says so.
	for _, sign := range [][]string{
		{"Connection", "Upgrade", "Upgrade", "websocket"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"Sec-WebSocket-Version", "13"}, {"Sec-Fetch-Mode", "websocket"},
	} {
		if r := get(t, browser.Client, a.url+"/", append(sign, "Origin", "https://evil.example")...); r.StatusCode != 403 {
			t.Errorf("of another site, with %q alone: status %d", sign, r.StatusCode)
		}
	}
	if r := get(t, browser.Client, a.url+"/", "Origin", "https://evil.example"); r.StatusCode != 200 {
		t.Errorf("of another site, reading: status %d", r.StatusCode)
	}
}
