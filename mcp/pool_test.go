package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

const poolIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// saying is a transport to a pool that says one thing.
type saying struct {
	status int
	body   string
	err    error
	panics bool
	asked  atomic.Int64
}

func (s *saying) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	if r.URL.String() != poolIssuer+"/.well-known/openid-configuration" {
		return nil, fmt.Errorf("asked %s", r.URL)
	}
	if s.panics {
		panic("a transport's own fault")
	}
	if s.err != nil {
		return nil, s.err
	}
	time.Sleep(time.Second)
	return &http.Response{StatusCode: s.status, Body: io.NopCloser(strings.NewReader(s.body)), Header: make(http.Header), Request: r}, nil
}

// TestS666_ThePoolAsItIs: clients are told of what the pool can do at the moment, of nothing
// else, and why there is nothing; one question is asked however many come.
func TestS666_ThePoolAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const issuer = `"issuer":"` + poolIssuer + `"`
		pool, log := &saying{status: 200}, new(bytes.Buffer)
		res, err := New(Config{
			URL: "https://app.example.com/mcp", PoolClients: true, Scopes: []string{"a/read"}, HTTPClient: &http.Client{Transport: pool}, Logger: slog.New(slog.NewTextHandler(log, nil)),
			Endpoints: cognito.Endpoints{Issuer: poolIssuer, Authorize: "https://d.example.com/oauth2/authorize", Token: "https://d.example.com/oauth2/token", JWKS: poolIssuer + "/.well-known/jwks.json"},
		})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() (int, map[string]any, http.Header) {
			w := httptest.NewRecorder()
			res.ServerMetadata().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example.com/.well-known/oauth-authorization-server/mcp", nil))
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Error(err)
			}
			return w.Code, got, w.Header()
		}
		for _, tt := range []struct {
			name, body string
			status     int
			err        error
			panics     bool
			want       int
			check      error
		}{
			{"no answer at first", "", 0, errors.New("connection refused"), false, 503, codegrant.ErrUnavailable},
			{"a panic", "", 0, nil, true, 503, codegrant.ErrUnavailable},
			{"too many requests", "", 429, nil, false, 503, codegrant.ErrUnavailable},
			{"another issuer", `{"issuer":"https://evil.example","registration_endpoint":"https://evil.example/r"}`, 200, nil, false, 502, nil},
			{"a registration by plain http", `{` + issuer + `,"registration_endpoint":"http://d.example.com/r"}`, 200, nil, false, 502, nil},
			{"nothing", `{` + issuer + `}`, 200, nil, false, 501, ErrPoolTakesNoClients},
			{"nothing, and no answer", "", 0, errors.New("connection refused"), false, 501, ErrPoolTakesNoClients},
			{"registration", `{` + issuer + `,"registration_endpoint":"https://d.example.com/oauth2/register"}`, 200, nil, false, 200, nil},
			{"no answer, later", "", 503, nil, false, 200, nil},
			{"documents", `{` + issuer + `,"client_id_metadata_document_supported":true}`, 200, nil, false, 200, nil},
			{"all off again", `{` + issuer + `}`, 200, nil, false, 501, ErrPoolTakesNoClients},
		} {
			time.Sleep(poolFresh)
			pool.status, pool.body, pool.err, pool.panics = tt.status, tt.body, tt.err, tt.panics
			asked := pool.asked.Load()
			for range 20 {
				go ask()
			}
			synctest.Wait()
			status, got, header := ask()
			if n := pool.asked.Load() - asked; n != 1 {
				t.Errorf("%s: asked %d times", tt.name, n)
			}
			if status != tt.want || header.Get("Access-Control-Allow-Origin") != "*" || (status == 503) != (header.Get("Retry-After") != "") {
				t.Errorf("%s: %d %v %v", tt.name, status, got, header)
			}
			if err := res.CheckPool(t.Context()); (err == nil) != (status == 200) || !errors.Is(err, tt.check) && tt.check != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			switch endpoint, documents := got["registration_endpoint"], got["client_id_metadata_document_supported"]; tt.name {
			case "registration", "no answer, later":
				if endpoint != "https://d.example.com/oauth2/register" || documents != nil {
					t.Errorf("%s: %v", tt.name, got)
				}
			case "documents":
				if endpoint != nil || documents != true || got["issuer"] != "https://app.example.com/mcp" {
					t.Errorf("%s: %v", tt.name, got)
				}
			default:
				if endpoint != nil || documents != nil || got["error_description"] == nil {
					t.Errorf("%s: %v", tt.name, got)
				}
			}
		}
		if n := strings.Count(log.String(), ErrPoolTakesNoClients.Error()); n != 2 {
			t.Errorf("the log says %d times that the pool takes no clients:\n%s", n, log)
		}
	})
}

// TestPoolClientsSettings: a resource whose clients are the pool's needs the pool.
func TestPoolClientsSettings(t *testing.T) {
	if _, err := New(Config{URL: "https://app.example.com/mcp", PoolClients: true, AuthorizationServers: []string{"https://id.example.com"}}); err == nil || !strings.Contains(err.Error(), "PoolClients:") {
		t.Error(err)
	}
}
