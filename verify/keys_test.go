package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func jwk(keyID string, n *big.Int, e int64, extra string) string {
	enc := base64.RawURLEncoding
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":%q%s}`,
		keyID, enc.EncodeToString(n.Bytes()), enc.EncodeToString(big.NewInt(e).Bytes()), extra)
}

func goodSet() string {
	k := testKeys()
	return `{"keys":[` + jwk("id=", k[0].N, 65537, "") + `,` + jwk("access=", k[1].N, 65537, "") + `]}`
}

// keyServer answers with what answer says, and counts.
type keyServer struct {
	*httptest.Server
	calls  atomic.Int32
	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
}

func newKeyServer(t *testing.T) *keyServer {
	s := &keyServer{answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodSet()) }}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) set(answer func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return testNow.Add(time.Duration(c.Load())) }

func remoteVerifier(t *testing.T, s *keyServer, c *clock) *Verifier {
	return testVerifier(t, func(config *Config) {
		config.Keys, config.JWKSURL, config.Now, config.CacheSize = nil, s.URL, c.now, -1
		config.Leeway = 5 * time.Minute
	})
}

func TestKeysAreFetchedOnceForAll(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	v := remoteVerifier(t, s, c)
	raw := sign(t, accessClaims())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := v.AccessToken(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.calls.Load(); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

func TestS020_UnknownKeysDoNotBecomeFetches(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	v := remoteVerifier(t, s, c)
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		c.Add(int64(time.Millisecond)) // ten seconds in all
		if _, err := v.keys.Key(t.Context(), fmt.Sprint(i)); !errors.Is(err, ErrUnknownKey) {
			t.Fatalf("Key() = %v", err)
		}
	}
	if n := s.calls.Load(); n > 3 {
		t.Errorf("10 000 unknown keys in 10 s caused %d fetches", n)
	}
	if _, err := v.AccessToken(t.Context(), sign(t, accessClaims())); err != nil {
		t.Errorf("a known key meanwhile: %v", err)
	}
}

func TestS021_Rotation(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	s.set(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[`+jwk("id=", testKeys()[0].N, 65537, "")+`]}`)
	})
	v := remoteVerifier(t, s, c)
	raw := sign(t, accessClaims())
	if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("AccessToken() = %v, want %v", err, ErrUnknownKey)
	}
	s.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodSet()) })
	c.Add(int64(11 * time.Second))
	if _, err := v.AccessToken(t.Context(), raw); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}

func TestS149_KeysOutliveAnOutage(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	v := remoteVerifier(t, s, c)
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	c.Add(int64(23 * time.Hour))
	if _, err := v.keys.Key(t.Context(), "id="); err != nil {
		t.Errorf("a known key after 23 h of outage: %v", err)
	}
	if _, err := v.keys.Key(t.Context(), "new"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an unknown key during an outage: %v, want %v", err, ErrUnavailable)
	}
	c.Add(int64(2 * time.Hour))
	if _, err := v.keys.Key(t.Context(), "id="); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a known key after 25 h of outage: %v, want %v", err, ErrUnavailable)
	}
	s.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodSet()) })
	c.Add(int64(11 * time.Second))
	if _, err := v.keys.Key(t.Context(), "id="); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestS019_BadAnswersChangeNothing(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>sign in to the network</html>")
		},
		"empty":      func(http.ResponseWriter, *http.Request) {},
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) },
		"keys null":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":null}`) },
		"empty set":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[]}`) },
		"keys twice": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[],"KEYS":[]}`) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", maxKeySet+1))
		},
		"not found":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"not changed": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) },
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newKeyServer(t), new(clock)
			v := remoteVerifier(t, s, c)
			s.set(answer)
			if err := v.Warm(t.Context()); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
				t.Errorf("Warm() = %v, want %v", err, ErrUnavailable)
			}
			s.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodSet()) })
			c.Add(int64(11 * time.Second))
			if err := v.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.set(answer)
			c.Add(int64(11 * time.Second))
			_ = v.Warm(t.Context())
			if _, err := v.keys.Key(t.Context(), "id="); err != nil {
				t.Errorf("a good set was lost: %v", err)
			}
		})
	}
}

func TestS003_UnusableKeysAreSkipped(t *testing.T) {
	k := testKeys()
	set := `{"keys":[
		{"kty":"EC","kid":"ec","crv":"P-256","x":"AA","y":"AA"}, {"kty":"oct","kid":"oct","k":"AAAA"}, "text", 7, {},
		` + jwk("weak", new(big.Int).Rsh(k[0].N, 1100), 65537, "") + `,
		` + jwk("one", k[0].N, 1, "") + `,` + jwk("even", k[0].N, 65536, "") + `,
		` + strings.Replace(jwk("enc", k[0].N, 65537, ""), `"sig"`, `"enc"`, 1) + `,
		` + strings.Replace(jwk("ps", k[0].N, 65537, ""), `RS256`, `PS256`, 1) + `,
		` + jwk("twice", k[0].N, 65537, "") + `,` + jwk("twice", k[1].N, 65537, "") + `,
		` + jwk("", k[0].N, 65537, "") + `,` + jwk("good=", k[1].N, 65537, "") + `]}`
	keys, err := parseKeySet([]byte(set))
	if err != nil || len(keys) != 1 || keys["good="] == nil {
		t.Errorf("parseKeySet() = %d keys, %v; want the good one", len(keys), err)
	}
}

func TestCallersDoNotWaitForEver(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	release := make(chan struct{})
	s.set(func(w http.ResponseWriter, _ *http.Request) { <-release; _, _ = io.WriteString(w, goodSet()) })
	v := remoteVerifier(t, s, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.keys.Key(ctx, "id="); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Key() = %v", err)
	}
	close(release)
	// The fetch that the first caller began serves the second.
	if _, err := v.keys.Key(t.Context(), "id="); err != nil {
		t.Errorf("Key() = %v", err)
	}
}

func TestFreshness(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": defaultFresh, "max-age=600": 10 * time.Minute, "public, max-age=1": minFresh, "max-age=999999999999": maxFresh, "max-age=9999999": maxFresh, "no-store": minFresh, "max-age=x": defaultFresh,
	} {
		if got := freshness(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("freshness(%q) = %v, want %v", header, got, want)
		}
	}
}

func TestKeysAreRevalidated(t *testing.T) {
	s, c := newKeyServer(t), new(clock)
	var conditional atomic.Int32
	s.set(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"1"` {
			conditional.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, goodSet())
	})
	v := remoteVerifier(t, s, c)
	if err := v.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Add(int64(2 * time.Hour))
	if err := v.Warm(t.Context()); err != nil || conditional.Load() != 1 {
		t.Errorf("Warm() = %v after %d conditional requests", err, conditional.Load())
	}
	if _, err := v.keys.Key(t.Context(), "id="); err != nil {
		t.Error(err)
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(goodSet()))
	f.Add([]byte(`{"keys":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeySet(b)
		if (len(keys) == 0) == (err == nil) {
			t.Errorf("parseKeySet(%q) = %d keys, %v", b, len(keys), err)
		}
		for keyID, key := range keys {
			if keyID == "" || key.N.BitLen() < 2048 {
				t.Errorf("parseKeySet(%q) keeps a bad key", b)
			}
		}
	})
}
