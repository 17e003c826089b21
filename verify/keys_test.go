package verify

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// jwk is an RSA key as a pool serves it, with more members behind.
func jwk(keyID string, n *big.Int, e int64, more string) string {
	return fmt.Sprintf(`{"alg":"RS256","e":%q,"kid":%q,"kty":"RSA","n":%q,"use":"sig"%s}`,
		b64(big.NewInt(e).Bytes()), keyID, b64(n.Bytes()), more)
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func idJWK() string     { return jwk(idKeyID, testKeys()[0].N, 65537, "") }
func accessJWK() string { return jwk(accessKeyID, testKeys()[1].N, 65537, "") }

// answer is what a key host answers with: after a while, an error, or a response
// of status 200 unless it states another.
type answer struct {
	delay  time.Duration
	err    error
	status int
	header http.Header
	body   string
}

// keyHost is a pool's key endpoint without a network, so that time can be
// synctest's.
type keyHost struct {
	mu     sync.Mutex // guards the fields below
	answer answer
	calls  int
	last   *http.Request
}

func (h *keyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	a := h.answer
	h.calls++
	h.last = r
	h.mu.Unlock()
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	header := make(http.Header)
	maps.Copy(header, a.header)
	return &http.Response{
		StatusCode: cmp.Or(a.status, http.StatusOK), Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

func (h *keyHost) set(change func(*answer)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.answer)
}

func (h *keyHost) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// inPool runs a test in synctest's time, with a verifier whose keys the host
// serves. Tokens live for a day, as seen from the start.
func inPool(t *testing.T, test func(*testing.T, *Verifier, *keyHost)) {
	testKeys() // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		h := &keyHost{answer: answer{body: jwks(idJWK(), accessJWK())}}
		v := testVerifier(t, func(c *Config) {
			c.Keys, c.Now, c.HTTPClient, c.CacheSize = nil, time.Now, &http.Client{Transport: h}, -1
		})
		test(t, v, h)
		time.Sleep(fetchTimeout) // a fetch may be under way that nobody waits for
	})
}

// dayToken is an access token that lives from now for a day.
func dayToken(t *testing.T) string {
	return sign(t, with(accessClaims(), object{"iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix()}))
}

func checkKey(t *testing.T, v *Verifier, keyID string, want error) {
	t.Helper()
	key, err := v.keys.Key(t.Context(), keyID)
	if !errors.Is(err, want) || (key == nil) != (want != nil) || want == ErrUnavailable && errors.Is(err, ErrInvalid) {
		t.Errorf("Key(%.8s) = %v, want %v", keyID, err, want)
	}
}

func checkCalls(t *testing.T, h *keyHost, want int) {
	t.Helper()
	synctest.Wait()
	if n := h.count(); n != want {
		t.Errorf("keys were fetched %d times, want %d", n, want)
	}
}

func TestKeysAreFetchedOnceForAll(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		h.answer.delay = time.Second
		checkCalls(t, h, 0) // not by New
		raw := dayToken(t)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := v.AccessToken(t.Context(), raw); err != nil {
					t.Errorf("AccessToken() = %v", err)
				}
			})
		}
		wg.Wait()
		checkCalls(t, h, 1)
		if got, want := h.last.URL.String(), testIssuer+"/.well-known/jwks.json"; got != want {
			t.Errorf("keys were fetched from %s, want %s", got, want)
		}
	})
}

func TestWarm(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		for range 10 { // as a readiness check does
			if err := v.Warm(t.Context()); err != nil {
				t.Errorf("Warm() = %v", err)
			}
			time.Sleep(time.Second)
		}
		checkCalls(t, h, 1)
	})
	if err := testVerifier(t, nil).Warm(t.Context()); err != nil {
		t.Errorf("with keys of one's own: Warm() = %v", err)
	}
}

func TestHopelessTokensCostNoFetch(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		for _, claims := range []object{
			accessClaims(), // long in the future, as synctest's clock has it
			with(accessClaims(), object{"iss": "x"}), with(accessClaims(), object{"client_id": "x"}), with(accessClaims(), object{"sub": ""}),
		} {
			if _, err := verifyAs(t, v, claims); !errors.Is(err, ErrInvalid) {
				t.Errorf("AccessToken() = %v", err)
			}
		}
		checkCalls(t, h, 0)
	})
}

// TestOneCallerGoesAway: the fetch that it began goes on for the others.
func TestOneCallerGoesAway(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		h.answer.delay = 2 * time.Second
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			_, err := v.keys.Key(first, idKeyID)
			if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) || errors.Is(err, ErrInvalid) {
				t.Errorf("the caller who goes away: Key() = %v", err)
			}
			if waited := time.Since(start); waited != time.Second {
				t.Errorf("the caller who goes away waited for %v", waited)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() { checkKey(t, v, idKeyID, nil) })
		}
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		checkCalls(t, h, 1)
	})
}

func TestS020_UnknownKeys(t *testing.T) {
	t.Run("a flood of them", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			checkKey(t, v, "looked for", ErrUnknownKey)
			for i := range 9_999 { // nobody has looked for these
				time.Sleep(time.Millisecond)
				checkKey(t, v, fmt.Sprint(i), ErrUnavailable)
			}
			checkKey(t, v, idKeyID, nil)
			checkCalls(t, h, 2) // the first, and one for all that is unknown
		})
	})
	t.Run("a flood of them during an outage", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.status = 503 })
			for i := range 10_000 {
				checkKey(t, v, fmt.Sprint(i), ErrUnavailable)
				time.Sleep(time.Millisecond)
			}
			checkKey(t, v, idKeyID, nil)
			checkCalls(t, h, 5) // the first, and at 0, 1, 3 and 7 seconds
		})
	})
	t.Run("all at once", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.delay = time.Second })
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() { checkKey(t, v, fmt.Sprint(i), ErrUnknownKey) })
			}
			wg.Wait()
			checkCalls(t, h, 2)
		})
	})
	t.Run("a new key at once", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.answer.body = jwks(idJWK())
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.body = jwks(idJWK(), accessJWK()) })
			checkKey(t, v, accessKeyID, nil)
			checkCalls(t, h, 2)
		})
	})
	t.Run("a new key within the interval", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.answer.body = jwks(idJWK())
			checkKey(t, v, "nobody's", ErrUnknownKey)
			h.set(func(a *answer) { a.body = jwks(idJWK(), accessJWK()) })
			checkKey(t, v, accessKeyID, ErrUnavailable)
			time.Sleep(10 * time.Second)
			checkKey(t, v, accessKeyID, nil)
			checkCalls(t, h, 3)
		})
	})
}

func TestS021_Rotation(t *testing.T) {
	t.Run("a withdrawn key", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			v.cache = newCache(100)
			raw := dayToken(t)
			h.answer.header = http.Header{"Cache-Control": {"public, max-age=600"}}
			if _, err := v.AccessToken(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			h.set(func(a *answer) { a.body = jwks(idJWK()) })
			time.Sleep(10*time.Minute - 1)
			if _, err := v.AccessToken(t.Context(), raw); err != nil {
				t.Errorf("while the answer is fresh: AccessToken() = %v", err)
			}
			checkCalls(t, h, 1)
			time.Sleep(time.Nanosecond)
			_, _ = v.AccessToken(t.Context(), raw) // causes the fetch
			checkCalls(t, h, 2)
			if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, ErrUnknownKey) {
				t.Errorf("once the answer was stale: AccessToken() = %v, want %v", err, ErrUnknownKey)
			}
		})
	})
	t.Run("a withdrawn key after a quiet night", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, accessKeyID, nil)
			h.set(func(a *answer) { a.body = jwks(idJWK()) })
			time.Sleep(2 * time.Hour)
			checkKey(t, v, accessKeyID, ErrUnknownKey)
		})
	})
	t.Run("another key of the same name", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			raw := dayToken(t)
			h.answer.body = jwks(jwk(accessKeyID, testKeys()[2].N, 65537, ""))
			if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, ErrSignature) {
				t.Errorf("AccessToken() = %v, want %v", err, ErrSignature)
			}
		})
	})
}

func TestS149_Outage(t *testing.T) {
	down := func(a *answer) { a.err = errors.New("no route to host") }
	up := func(a *answer) { a.err = nil }
	t.Run("after the start", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(down)
			for hour := range 23 {
				time.Sleep(time.Hour)
				start := time.Now()
				checkKey(t, v, idKeyID, nil)
				checkKey(t, v, "new", ErrUnavailable)
				if err := v.Warm(t.Context()); err != nil || time.Since(start) != 0 {
					t.Errorf("after %d hours: Warm() = %v, all took %v", hour+1, err, time.Since(start))
				}
			}
			time.Sleep(time.Hour)
			checkKey(t, v, idKeyID, ErrUnavailable)
			if err := v.Warm(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("after 24 hours: Warm() = %v, want %v", err, ErrUnavailable)
			}
			h.set(up)
			time.Sleep(10 * time.Second)
			checkKey(t, v, idKeyID, nil)
			checkKey(t, v, "new", ErrUnknownKey)
		})
	})
	t.Run("before the start", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.set(down)
			for range 3000 { // a second
				checkKey(t, v, idKeyID, ErrUnavailable)
				time.Sleep(time.Second / 3000)
			}
			checkCalls(t, h, 1)
			if err := v.Warm(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Warm() = %v, want %v", err, ErrUnavailable)
			}
			h.set(up)
			time.Sleep(2 * time.Second)
			checkKey(t, v, idKeyID, nil)
			if err := v.Warm(t.Context()); err != nil {
				t.Errorf("Warm() = %v", err)
			}
		})
	})
	t.Run("a host that hangs", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.set(func(a *answer) { a.delay = time.Hour })
			start := time.Now()
			checkKey(t, v, idKeyID, ErrUnavailable)
			if took := time.Since(start); took != fetchTimeout {
				t.Errorf("the caller waited for %v, want %v", took, fetchTimeout)
			}
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			time.Sleep(time.Second)
			start = time.Now()
			if _, err := v.keys.Key(short, idKeyID); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Key() = %v, want %v", err, ErrUnavailable)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("the hurried caller waited for %v", took)
			}
		})
	})
	t.Run("a host that hangs while keys are known", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.delay = time.Hour })
			time.Sleep(90 * time.Minute)
			start := time.Now()
			for range 100 {
				checkKey(t, v, idKeyID, nil)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("the callers waited for %v", took)
			}
		})
	})
	t.Run("a shorter age", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			v.keys.(*remoteKeys).set.maxAge = time.Minute
			checkKey(t, v, idKeyID, nil)
			h.set(down)
			time.Sleep(time.Minute - 1)
			checkKey(t, v, idKeyID, nil)
			time.Sleep(time.Nanosecond)
			checkKey(t, v, idKeyID, ErrUnavailable)
		})
	})
}

func TestKeysAreRevalidated(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		h.answer.header = http.Header{"Etag": {`"1"`}}
		checkKey(t, v, idKeyID, nil)
		if got := h.last.Header.Get("If-None-Match"); got != "" {
			t.Errorf("the first request has If-None-Match %q", got)
		}
		h.set(func(a *answer) { a.status, a.body, a.header = http.StatusNotModified, "", nil })
		for range 30 { // more than MaxKeyAge: an answer of 304 confirms the keys
			time.Sleep(time.Hour)
			checkKey(t, v, idKeyID, nil)
			synctest.Wait()
			if got := h.last.Header.Get("If-None-Match"); got != `"1"` {
				t.Errorf("If-None-Match is %q, want %q", got, `"1"`)
			}
		}
	})
}

func TestFreshness(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"nothing said", nil, time.Hour},
		{"minutes", http.Header{"Cache-Control": {"max-age=600"}}, 10 * time.Minute},
		{"among others", http.Header{"Cache-Control": {`public, Max-Age="600" , s-maxage=1`}}, 10 * time.Minute},
		{"in the second header", http.Header{"Cache-Control": {"public", "max-age=600"}}, 10 * time.Minute},
		{"in part used up", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"200"}}, 400 * time.Second},
		{"long, in part used up", http.Header{"Cache-Control": {"max-age=86400"}, "Age": {"7200"}}, time.Hour},
		{"used up", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"900"}}, time.Minute},
		{"too short", http.Header{"Cache-Control": {"max-age=0"}}, time.Minute},
		{"too long", http.Header{"Cache-Control": {"max-age=31536000"}}, time.Hour},
		{"beyond counting", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, time.Hour},
		{"age beyond counting", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"99999999999999999999"}}, time.Minute},
		{"forbidden", http.Header{"Cache-Control": {"max-age=600, no-store"}}, time.Minute},
		{"to be asked", http.Header{"Cache-Control": {"no-cache"}}, time.Minute},
		{"nonsense", http.Header{"Cache-Control": {"max-age=soon, max-age=-1,,="}, "Age": {"old"}}, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := freshness(tt.header); got != tt.want {
				t.Errorf("freshness(%v) = %v, want %v", tt.header, got, tt.want)
			}
		})
	}
}

// TestS019_BadAnswers: none of them is taken for a set of keys, and none of them
// replaces one.
func TestS019_BadAnswers(t *testing.T) {
	bad := map[string]func(*answer){
		"HTML":                   func(a *answer) { a.body = "<html>sign in to the network</html>" },
		"empty":                  func(a *answer) { a.body = "" },
		"null":                   func(a *answer) { a.body = "null" },
		"a list":                 func(a *answer) { a.body = "[" + idJWK() + "]" },
		"no keys":                func(a *answer) { a.body = "{}" },
		"keys null":              func(a *answer) { a.body = `{"keys":null}` },
		"keys an object":         func(a *answer) { a.body = `{"keys":{}}` },
		"no key":                 func(a *answer) { a.body = jwks() },
		"no usable key":          func(a *answer) { a.body = jwks(`{"kty":"oct","kid":"x","k":"AA"}`, `7`) },
		"keys twice":             func(a *answer) { a.body = `{"keys":[],"keys":[` + idJWK() + `]}` },
		"keys in capitals alone": func(a *answer) { a.body = `{"KEYS":[` + idJWK() + `]}` },
		"cut off":                func(a *answer) { a.body = jwks(idJWK())[:200] },
		"something behind":       func(a *answer) { a.body = jwks(idJWK()) + "{}" },
		"too long":               func(a *answer) { a.body = jwks(idJWK()) + strings.Repeat(" ", maxKeySetSize) },
		"not found":              func(a *answer) { a.status = 404 },
		"no content":             func(a *answer) { a.status = 204 },
		"partial":                func(a *answer) { a.status = 206 },
		"a fault":                func(a *answer) { a.status = 500 },
		"too many requests":      func(a *answer) { a.status = 429 },
		"a redirect":             func(a *answer) { a.status, a.header = 302, http.Header{"Location": {"/elsewhere"}} },
		"no answer":              func(a *answer) { a.err = io.ErrUnexpectedEOF },
	}
	for name, change := range bad {
		t.Run(name, func(t *testing.T) {
			inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
				h.set(change)
				if err := v.Warm(t.Context()); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
					t.Errorf("at first: Warm() = %v, want %v", err, ErrUnavailable)
				}
				h.set(func(a *answer) { *a = answer{body: jwks(idJWK(), accessJWK())} })
				time.Sleep(time.Minute)
				checkKey(t, v, idKeyID, nil)
				h.set(change)
				time.Sleep(3 * time.Hour)
				checkKey(t, v, idKeyID, nil)
				checkKey(t, v, accessKeyID, nil)
				checkKey(t, v, "new", ErrUnavailable)
			})
		})
	}
	t.Run("not changed, but nothing was there", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.answer.status = http.StatusNotModified
			checkKey(t, v, idKeyID, ErrUnavailable)
		})
	})
}

// TestS019_RealServers is about what the HTTP client does by itself.
func TestS019_RealServers(t *testing.T) {
	fetch := func(t *testing.T, client *http.Client, serve http.HandlerFunc) error {
		t.Helper()
		server := httptest.NewServer(serve)
		t.Cleanup(server.Close)
		v := testVerifier(t, func(c *Config) { c.Keys, c.JWKSURL, c.HTTPClient = nil, server.URL, client })
		return v.Warm(t.Context())
	}
	t.Run("keys", func(t *testing.T) {
		if err := fetch(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwks(idJWK())) }); err != nil {
			t.Errorf("Warm() = %v", err)
		}
	})
	t.Run("a redirect to another host", func(t *testing.T) {
		target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			t.Error("the redirect was followed")
			_, _ = io.WriteString(w, jwks(idJWK()))
		}))
		defer target.Close()
		for name, client := range map[string]*http.Client{"own client": nil, "the caller's client": {}} {
			err := fetch(t, client, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, http.StatusFound) })
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: Warm() = %v, want %v", name, err, ErrUnavailable)
			}
			if client != nil && client.CheckRedirect != nil {
				t.Error("the caller's client was changed")
			}
		}
	})
	t.Run("a body cut off", func(t *testing.T) {
		err := fetch(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4096")
			_, _ = io.WriteString(w, jwks(idJWK()))
		})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("Warm() = %v, want %v", err, ErrUnavailable)
		}
	})
	t.Run("an endless body", func(t *testing.T) {
		err := fetch(t, nil, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("Warm() = %v, want %v", err, ErrUnavailable)
		}
	})
}

func thousandMembers() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `,"%d":%d`, i, i)
	}
	return b.String()
}

func TestS003_UnusableKeys(t *testing.T) {
	n := testKeys()[0].N
	short := new(big.Int).SetBit(new(big.Int).Rsh(n, 1), 0, 1) // 2047 bits
	long := new(big.Int).SetBit(new(big.Int).Lsh(n, maxModulus), 0, 1)
	good := jwk("good", n, 65537, "")
	replaced := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(strings.Replace(good, old, new, 1), `"good"`, `"bad"`, 1)
	}
	bad := map[string]string{
		"not an object":          `"text"`,
		"empty":                  `{}`,
		"elliptic":               `{"kty":"EC","kid":"bad","crv":"P-256","x":"AA","y":"AA","use":"sig"}`,
		"symmetric":              `{"kty":"oct","kid":"bad","k":"AAAA"}`,
		"no kty":                 replaced(`"kty":"RSA"`, `"x":1`),
		"kty in lower case":      replaced(`"RSA"`, `"rsa"`),
		"no kid":                 replaced(`"kid":"good"`, `"x":1`),
		"an empty kid":           jwk("", n, 65537, ""),
		"a kid that is a number": replaced(`"kid":"good"`, `"kid":1`),
		"for encryption":         replaced(`"sig"`, `"enc"`),
		"use null":               replaced(`"sig"`, `null`),
		"of another algorithm":   replaced(`RS256`, `PS256`),
		"of none":                replaced(`RS256`, `none`),
		"operations without it":  jwk("bad", n, 65537, `,"key_ops":["encrypt"]`),
		"operations a string":    jwk("bad", n, 65537, `,"key_ops":"verify"`),
		"no modulus":             replaced(`"n":`, `"x":`),
		"a short modulus":        jwk("bad", short, 65537, ""),
		"a long modulus":         jwk("bad", long, 65537, ""),
		"an even modulus":        jwk("bad", new(big.Int).Lsh(n, 1), 65537, ""),
		"a modulus with padding": replaced(b64(n.Bytes()), b64(n.Bytes())+"="),
		"an empty modulus":       replaced(b64(n.Bytes()), ""),
		"no exponent":            replaced(`"e":`, `"x":`),
		"exponent zero":          jwk("bad", n, 0, ""),
		"exponent one":           jwk("bad", n, 1, ""),
		"exponent two":           jwk("bad", n, 2, ""),
		"an even exponent":       jwk("bad", n, 65536, ""),
		"a long exponent":        jwk("bad", n, 1<<33+1, ""),
		"an endless exponent":    replaced(`"AQAB"`, `"`+base64.RawURLEncoding.EncodeToString(append([]byte{1}, make([]byte, 8)...))+`"`),
		"exponent a number":      replaced(`"AQAB"`, `65537`),
		"a private key":          jwk("bad", n, 65537, `,"d":"AQAB"`),
		"a name twice":           jwk("bad", n, 65537, `,"n":"AQAB"`),
		"a name in capitals too": jwk("bad", n, 65537, `,"KID":"x"`),
		"nested too deeply":      jwk("bad", n, 65537, `,"x":`+strings.Repeat(`[`, 1000)+strings.Repeat(`]`, 1000)),
		"nested objects":         jwk("bad", n, 65537, `,"x":`+strings.Repeat(`{"a":`, 20)+"1"+strings.Repeat(`}`, 20)),
		"not UTF-8":              jwk("bad", n, 65537, ",\"x\":\"\xff\""),
		"a name not in UTF-8":    jwk("bad", n, 65537, ",\"\xff\":1"),
		"a broken escape":        jwk("bad", n, 65537, `,"x":"\q"`),
		"half of a pair":         jwk("bad", n, 65537, `,"x":"\ud800"`),
		"a control character":    jwk("bad", n, 65537, ",\"x\":\"\x00\n\""),
		"a comma at its end":     jwk("bad", n, 65537, `,`),
		"two commas":             jwk("bad", n, 65537, `,,"x":1`),
		"no colon":               jwk("bad", n, 65537, `,"x" 1`),
		"words of JavaScript":    jwk("bad", n, 65537, `,"x":undefined,"y":NaN,"z":0x1`),
		"a list":                 `[` + good + `]`,
		"a set":                  jwks(good),
		"two values":             good + " " + good,
		"brackets in a text":     `"]}{[\"]}"`,
		"a word":                 `keys`,
		"a thousand members":     jwk("bad", n, 65537, thousandMembers()),
	}
	for name, key := range bad {
		t.Run(name, func(t *testing.T) {
			// Between two good ones, which are not lost with it.
			keys, err := parseKeySet([]byte(jwks(idJWK(), key, good)))
			if err != nil || len(keys) != 2 || keys["good"] == nil || keys[idKeyID] == nil {
				t.Errorf("parseKeySet() = %d keys, %v, want the good ones", len(keys), err)
			}
			if _, err := parseKeySet([]byte(jwks(key))); err == nil {
				t.Error("parseKeySet() of the bad one alone = nil")
			}
			// Nor is the set lost where that stands beside its list, or commas do.
			for _, set := range []string{
				`{"more":` + key + `,"keys":[` + good + `]}`, `{"keys":[` + good + `],"KEYS":` + key + `}`,
				`{` + key + `,"keys":[` + good + `],}`, `{"keys":[,` + good + `,,` + key + `,]}`,
			} {
				if keys, err := parseKeySet([]byte(set)); err != nil || len(keys) != 1 || keys["good"] == nil {
					t.Errorf("parseKeySet(%.100s) = %d keys, %v, want the good one", set, len(keys), err)
				}
			}
		})
	}
	for name, key := range map[string]string{
		"without use and alg":     strings.NewReplacer(`"use":"sig"`, `"x":1`, `"alg":"RS256"`, `"y":1`).Replace(good),
		"with operations":         jwk("good", n, 65537, `,"key_ops":["sign","verify"]`),
		"with a small exponent":   jwk("good", n, 3, ""),
		"with the most exponent":  jwk("good", n, maxExponent, ""),
		"with things unheard of":  jwk("good", n, 65537, `,"x5t":"AA","exp":1,"a":{"b":[1]}`),
		"with a set of things":    good + `],"more":[{"keys":1}`,
		"with 3072 bits, padded=": jwk("good=", new(big.Int).SetBit(new(big.Int).Lsh(n, 1024), 0, 1), 65537, ""),
	} {
		t.Run(name, func(t *testing.T) {
			if keys, err := parseKeySet([]byte(jwks(key))); err != nil || len(keys) != 1 {
				t.Errorf("parseKeySet() = %d keys, %v, want one", len(keys), err)
			}
		})
	}
	t.Run("one name for several", func(t *testing.T) {
		keys, err := parseKeySet([]byte(jwks(good, idJWK(), jwk("good", testKeys()[1].N, 65537, ""), good)))
		if err != nil || len(keys) != 2 || len(keys["good"]) != 2 || len(keys[idKeyID]) != 1 {
			t.Errorf("parseKeySet() = %v, %v, want both of that name", keys, err)
		}
	})
	t.Run("one name for a good one and a bad one", func(t *testing.T) {
		keys, err := parseKeySet([]byte(jwks(good, jwk("good", n, 1, ""))))
		if err != nil || keys["good"] == nil {
			t.Errorf("parseKeySet() = %d keys, %v, want the good one", len(keys), err)
		}
	})
}

// Tokens of both keys verify, also from memory, and those of a third do not.
func TestS003_TwoKeysOfOneID(t *testing.T) {
	inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
		v.cache = newCache(100)
		h.answer.body = jwks(jwk("same", testKeys()[0].N, 65537, ""), jwk("same", testKeys()[1].N, 65537, ""), accessJWK())
		payload := string(marshal(t, with(accessClaims(), object{"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})))
		for i, want := range []error{nil, nil, ErrSignature} {
			raw := signRaw(t, testKeys()[i], `{"kid":"same","alg":"RS256"}`, payload)
			for range 2 {
				if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, want) {
					t.Errorf("key %d: AccessToken() = %v, want %v", i, err, want)
				}
			}
		}
		checkCalls(t, h, 1)
	})
}

// Tokens that the pool has just handed over have fetches of their own.
func TestS310_IssuedTokensAreNotCrowdedOut(t *testing.T) {
	key := func(t *testing.T, v *Verifier, keyID string, want error) {
		t.Helper()
		checkKey(t, v.Issued(), keyID, want)
	}
	t.Run("by a flood", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.answer.body = jwks(idJWK())
			checkKey(t, v, "nobody's", ErrUnknownKey)
			h.set(func(a *answer) { a.body = jwks(idJWK(), accessJWK()) })
			checkKey(t, v, "invented", ErrUnavailable)
			key(t, v, accessKeyID, nil)
			checkKey(t, v, accessKeyID, nil) // what one has found is everybody's
			checkCalls(t, h, 3)
		})
	})
	t.Run("by one that began before the key was there", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.delay, a.body = 2*time.Second, jwks(idJWK()) })
			var wg sync.WaitGroup
			wg.Go(func() { checkKey(t, v, "invented", ErrUnknownKey) })
			synctest.Wait()
			time.Sleep(time.Second)
			h.set(func(a *answer) { *a = answer{body: jwks(idJWK(), jwk("new", testKeys()[1].N, 65537, ""))} })
			key(t, v, "new", nil)
			wg.Wait()
			checkKey(t, v, "new", nil) // the older answer has not replaced the newer one
			checkCalls(t, h, 3)
		})
	})
	t.Run("by faults", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			h.answer.status = 503
			for range 1000 {
				checkKey(t, v, "invented", ErrUnavailable)
				time.Sleep(9 * time.Millisecond)
			}
			h.set(func(a *answer) { a.status = 0 })
			checkKey(t, v, idKeyID, ErrUnavailable)
			key(t, v, idKeyID, nil)
		})
	})
	t.Run("by one another", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			h.set(func(a *answer) { a.delay, a.body = 500*time.Millisecond, jwks(idJWK()) })
			var wg sync.WaitGroup
			wg.Go(func() { key(t, v, "new", ErrUnavailable) }) // its pool is behind
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
			h.set(func(a *answer) { a.body = jwks(idJWK(), jwk("new", testKeys()[1].N, 65537, "")) })
			for range 100 {
				wg.Go(func() { key(t, v, "new", nil) })
			}
			wg.Wait()
			checkCalls(t, h, 3)
		})
	})
	t.Run("and are no flood themselves", func(t *testing.T) {
		inPool(t, func(t *testing.T, v *Verifier, h *keyHost) {
			checkKey(t, v, idKeyID, nil)
			for range 10 {
				key(t, v, "new", ErrUnavailable)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := v.Issued().keys.Key(ctx, "new"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Key() = %v", err)
			}
			checkCalls(t, h, 11)
			if took := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); took < 9*time.Second {
				t.Errorf("ten fetches took %v", took)
			}
		})
	})
	t.Run("with keys of one's own", func(t *testing.T) {
		v := testVerifier(t, nil)
		if v.Issued() != v {
			t.Error("Issued() is another verifier")
		}
	})
}

// The fetch runs beside those who wait for it. A client that panics must not take
// the process along.
func TestS164_AClientThatPanics(t *testing.T) {
	v := testVerifier(t, func(c *Config) {
		c.Keys, c.HTTPClient = nil, &http.Client{Transport: panicking{}}
	})
	if err := v.Warm(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("Warm() = %v", err)
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("out of order") }

type noKeys struct{}

func (noKeys) Key(context.Context, string) (*rsa.PublicKey, error) { return nil, nil }

func TestAKeySetThatReturnsNothing(t *testing.T) {
	v := testVerifier(t, func(c *Config) { c.Keys = noKeys{} })
	if _, err := v.AccessToken(t.Context(), sign(t, accessClaims())); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("AccessToken() = %v, want %v", err, ErrUnknownKey)
	}
}
