package machine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/machine"
)

var _ oauth2.TokenSource = (*machine.Source)(nil)

// world is a token endpoint, an API of user pools beside it, and a clock.
type world struct {
	t      *testing.T
	url    string
	calls  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc] // in place of a token
	ahead  atomic.Int64
	secret string
	last   atomic.Pointer[string] // what was sent
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, secret: "secret-one-secret-one-1"}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := w.calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		said := r.URL.Path + " " + r.Header.Get("X-Amz-Target") + " " + string(body)
		w.last.Store(&said)
		if answer := w.answer.Load(); answer != nil {
			(*answer)(rw, r)
			return
		}
		_, secret, basic := r.BasicAuth()
		if !basic {
			var in struct{ Secret string }
			_ = json.Unmarshal(body, &in)
			secret = in.Secret
		}
		rw.Header().Set("Content-Type", "application/json")
		switch {
		case secret != w.secret && basic:
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"error":"invalid_client"}`)
		case secret != w.secret:
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"__type":"NotAuthorizedException","message":"Client secret does not match for the client: c1"}`)
		case basic:
			fmt.Fprintf(rw, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, n)
		default:
			fmt.Fprintf(rw, `{"ClientAuthenticationResult":{"AccessToken":"api-%d","TokenType":"Bearer","ExpiresIn":3600}}`, n)
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) source(change func(*machine.Config)) *machine.Source {
	w.t.Helper()
	config := machine.Config{
		Pool: cognito.Pool{Issuer: w.url + "/eu-west-1_Ab12Cd34E", Domain: w.url, ClientID: "c1", ClientSecret: cognito.Secret(w.secret)},
		Now:  func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	}
	if change != nil {
		change(&config)
	}
	source, err := machine.New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return source
}

func (w *world) fails(status int, body string) {
	handler := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		fmt.Fprint(rw, body)
	})
	w.answer.Store(&handler)
}

// TestS562_OneFetch asks at once, and again and again.
func TestS562_OneFetch(t *testing.T) {
	w := newWorld(t)
	source := w.source(func(c *machine.Config) { c.Scopes = []string{"orders/read", "orders/write"} })
	gate := make(chan struct{})
	slow := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		<-gate
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprint(rw, `{"access_token":"slow","token_type":"Bearer","expires_in":3600}`)
	})
	w.answer.Store(&slow)
	// Who gives up takes the fetch from nobody.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.TokenContext(gone); !errors.Is(err, cognito.ErrUnavailable) {
		t.Errorf("who gave up got %v", err)
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			token, err := source.TokenContext(t.Context())
			if err != nil || token.AccessToken != "slow" || !token.Valid() {
				t.Errorf("%v, %v", token, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if n := w.calls.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	if said := *w.last.Load(); !strings.HasPrefix(said, "/oauth2/token ") || !strings.Contains(said, "grant_type=client_credentials") || !strings.Contains(said, "scope=orders%2Fread+orders%2Fwrite") {
		t.Errorf("sent %s", said)
	}
}

// TestRenewal: early and beside the calls, and a fault costs nobody a good token.
func TestRenewal(t *testing.T) {
	w := newWorld(t)
	source := w.source(nil)
	is := func(want string) {
		t.Helper()
		token, err := source.Token()
		if err != nil || token.AccessToken != want {
			t.Errorf("%v, %v, want %s", token, err, want)
		}
	}
	eventually := func(than string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if token, err := source.Token(); err == nil && token.AccessToken != than {
				return
			}
		}
		t.Fatalf("no other than %s came", than)
	}
	is("token-1")
	w.ahead.Store(int64(54 * time.Minute))
	is("token-1")
	if n := w.calls.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	w.fails(503, "{}")
	w.ahead.Store(int64(56 * time.Minute))
	is("token-1")
	for end := time.Now().Add(time.Minute); w.calls.Load() < 4 && time.Now().Before(end); time.Sleep(time.Millisecond) { // three tries
	}
	is("token-1")
	w.answer.Store(nil)
	w.ahead.Store(int64(58 * time.Minute))
	eventually("token-1")
}

// TestS563_RefusedIsNotUnavailable, and neither is asked for again by everybody.
func TestS563_RefusedIsNotUnavailable(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   error
		calls  int64
		api    bool
	}{
		{"down", 503, "{}", cognito.ErrUnavailable, 3, false},
		{"too many", 429, "{}", cognito.ErrUnavailable, 3, false},
		{"a page", 403, "<html>", cognito.ErrUnavailable, 3, false},
		{"a client that is unknown", 400, `{"error":"invalid_client"}`, cognito.ErrMisconfigured, 1, false},
		{"a scope that it may not have", 400, `{"error":"invalid_scope"}`, cognito.ErrInvalid, 1, false},
		{"the API is down", 500, `{"__type":"InternalErrorException"}`, cognito.ErrUnavailable, 3, true},
		{"the API is asked too often", 400, `{"__type":"TooManyRequestsException","message":"slow"}`, cognito.ErrUnavailable, 3, true},
		{"the API refuses the client", 400, `{"__type":"com.amazonaws#NotAuthorizedException","message":"no"}`, cognito.ErrMisconfigured, 1, true},
		{"the API refuses a scope", 400, `{"__type":"InvalidParameterException","message":"no"}`, cognito.ErrInvalid, 1, true},
		{"an answer of the API without a token", 200, `{}`, cognito.ErrUnavailable, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			source := w.source(func(c *machine.Config) {
				if tt.api {
					c.Pool.Domain = ""
				}
			})
			w.fails(tt.status, tt.body)
			for range 20 {
				_, err := source.Token()
				if !errors.Is(err, tt.want) || strings.Contains(fmt.Sprint(err), w.secret) {
					t.Fatalf("%v, want %v", err, tt.want)
				}
			}
			if n := w.calls.Load(); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
			w.answer.Store(nil)
			w.ahead.Store(int64(2 * time.Minute))
			if _, err := source.Token(); err != nil {
				t.Errorf("later: %v", err)
			}
		})
	}
}

// TestGetClientToken needs no domain, and takes either of two secrets.
func TestGetClientToken(t *testing.T) {
	for _, domain := range []bool{true, false} {
		w := newWorld(t)
		source := w.source(func(c *machine.Config) {
			c.Pool.ClientSecret, c.Pool.SecondSecret, c.Scopes = "of-before-of-before-1234", cognito.Secret(w.secret), []string{"orders/read"}
			if !domain {
				c.Pool.Domain = ""
			}
		})
		want := map[bool]string{true: "token-2", false: "api-2"}[domain]
		if token, err := source.Token(); err != nil || token.AccessToken != want {
			t.Errorf("%v, %v", token, err)
		}
		if said := *w.last.Load(); !domain && (!strings.HasPrefix(said, "/ AWSCognitoIdentityProviderService.GetClientToken ") || !strings.Contains(said, `"Scopes":["orders/read"]`)) {
			t.Errorf("sent %s", said)
		}
	}
}

// TestS564_TokensGoWhereTheyAreMeantToGo follows a redirect to somebody else.
func TestS564_TokensGoWhereTheyAreMeantToGo(t *testing.T) {
	w := newWorld(t)
	source := w.source(nil)
	var elsewhere, here atomic.Pointer[string]
	record := func(to *atomic.Pointer[string]) func(*http.Request) {
		return func(r *http.Request) { said := r.Header.Get("Authorization"); to.Store(&said) }
	}
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { record(&elsewhere)(r) }))
	defer stranger.Close()
	status := http.StatusFound
	orders := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		record(&here)(r)
		rw.Header().Set("Location", stranger.URL)
		rw.WriteHeader(status)
	}))
	defer orders.Close()
	transport, err := source.Transport(nil, orders.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	get := func() {
		response, err := client.Get(orders.URL + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	get()
	if *here.Load() != "Bearer token-1" || *elsewhere.Load() != "" {
		t.Errorf("here %q, elsewhere %q", *here.Load(), *elsewhere.Load())
	}
	// One that is refused is fetched anew, but not again and again.
	status = http.StatusUnauthorized
	get()
	get()
	if n := w.calls.Load(); n != 1 {
		t.Errorf("a token of this moment was fetched %d times", n)
	}
	w.ahead.Store(int64(time.Minute))
	get()
	get()
	if n := w.calls.Load(); n != 2 || *here.Load() != "Bearer token-2" {
		t.Errorf("%d fetches, sent %s", n, *here.Load())
	}
	w.fails(400, `{"error":"invalid_client"}`)
	if _, err := (&http.Client{Transport: transport}).Get(orders.URL); err != nil {
		t.Errorf("a token that is good needs no pool: %v", err)
	}
	for _, origins := range [][]string{nil, {"http://orders.example.com"}, {"https://orders.example.com/api"}, {"orders.example.com"}} {
		if _, err := source.Transport(nil, origins...); err == nil {
			t.Errorf("%q are taken for origins", origins)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, config := range map[string]machine.Config{
		"nothing":     {},
		"no secret":   {Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "c1"}},
		"empty scope": {Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "c1", ClientSecret: "x"}, Scopes: []string{""}},
	} {
		if _, err := machine.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestS671_APanicOfATransport: there is no token at the moment, for all who wait, and the process
// goes on.
func TestS671_APanicOfATransport(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int64
	source := w.source(func(c *machine.Config) {
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if asked.Add(1) == 1 {
				panic("a transport's own fault")
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	for range 3 {
		if _, err := source.TokenContext(t.Context()); !errors.Is(err, cognito.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	w.ahead.Add(int64(time.Minute))
	if token, err := source.TokenContext(t.Context()); err != nil || token.AccessToken == "" {
		t.Errorf("afterwards: %v, %v", token, err)
	}
}
