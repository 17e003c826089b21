package verify

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countingKeys counts the questions, and answers with what answer returns.
type countingKeys struct {
	calls  atomic.Int32
	answer func(keyID string) (*rsa.PublicKey, error)
}

func (k *countingKeys) Key(_ context.Context, keyID string) (*rsa.PublicKey, error) {
	k.calls.Add(1)
	return k.answer(keyID)
}

// entries returns how many tokens the verifier remembers.
func entries(v *Verifier) int {
	n := 0
	for i := range v.cache.shards {
		n += len(v.cache.shards[i].young) + len(v.cache.shards[i].old)
	}
	return n
}

func TestS016_CacheNeverOutlivesExp(t *testing.T) {
	now := testNow
	v := testVerifier(t, func(c *Config) { c.Now = func() time.Time { return now } })
	raw := sign(t, accessClaims())
	check := func(want error) {
		t.Helper()
		if c, err := v.AccessToken(t.Context(), raw); !errors.Is(err, want) || (c == nil) != (want != nil) {
			t.Errorf("at %v: AccessToken() = %v, %v, want %v", now.Sub(testNow), c, err, want)
		}
	}
	check(nil)
	now = testNow.Add(time.Hour + 29*time.Second)
	check(nil)
	now = testNow.Add(time.Hour + 30*time.Second)
	check(ErrExpired)
	now = testNow // and a clock that is set back gives it no second life that it did not have
	check(nil)
	now = testNow.Add(-time.Minute)
	check(ErrIssuedAt)
}

// TestS016_CacheKnowsTheWholeToken: a token that differs in one character from one
// that is known is another token.
func TestS016_CacheKnowsTheWholeToken(t *testing.T) {
	v := testVerifier(t, nil)
	raw := sign(t, accessClaims())
	if _, err := v.AccessToken(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		other := byte('A')
		if raw[i] == other {
			other = 'B'
		}
		if c, err := v.AccessToken(t.Context(), raw[:i]+string(other)+raw[i+1:]); c != nil || !errors.Is(err, ErrInvalid) {
			t.Fatalf("changed at %d: AccessToken() = %v, %v", i, c, err)
		}
	}
	if n := entries(v); n != 1 {
		t.Errorf("the cache holds %d tokens, want the good one", n)
	}
}

// TestS016_CacheFollowsKeys: a key that the pool withdraws, or gives to another,
// takes the tokens with it that are known.
func TestS016_CacheFollowsKeys(t *testing.T) {
	good := poolKeys()
	keys := &countingKeys{answer: func(keyID string) (*rsa.PublicKey, error) { return good.Key(t.Context(), keyID) }}
	v := testVerifier(t, func(c *Config) { c.Keys = keys })
	raw := sign(t, accessClaims())
	check := func(name string, want error) {
		t.Helper()
		if _, err := v.AccessToken(t.Context(), raw); !errors.Is(err, want) || errors.Is(err, ErrInvalid) && errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: AccessToken() = %v, want %v", name, err, want)
		}
	}
	check("at first", nil)
	check("from the cache", nil)
	keys.answer = func(keyID string) (*rsa.PublicKey, error) {
		key := *good[keyID]
		return &key, nil
	}
	check("key fetched anew", nil)
	keys.answer = func(string) (*rsa.PublicKey, error) { return &testKeys()[2].PublicKey, nil }
	check("another key of that name", ErrSignature)
	keys.answer = func(string) (*rsa.PublicKey, error) { return nil, ErrUnknownKey }
	check("key withdrawn", ErrUnknownKey)
	keys.answer = func(string) (*rsa.PublicKey, error) { return nil, ErrUnavailable }
	check("keys unavailable", ErrUnavailable)
	keys.answer = func(string) (*rsa.PublicKey, error) { return nil, errors.New("a fault of its own") }
	check("keys faulty", ErrUnavailable)
}

// TestS016_CachedClaimsAreSharedSafely: they are for reading, and what a handler
// builds out of them by appending is not seen by the next request.
func TestS016_CachedClaimsAreSharedSafely(t *testing.T) {
	v := testVerifier(t, nil)
	raw := sign(t, idClaims())
	for range 3 {
		c, err := v.IDToken(t.Context(), raw, IDExpectations{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Groups, []string{"admins", "analysts"}) || c.Text("custom:team") != "blue" || string(c.Custom["custom:team"]) != `"blue"` {
			t.Fatalf("claims were changed: %#v", c)
		}
		for _, list := range [][]string{c.Groups, c.Roles, c.AMR, c.Scopes} {
			if cap(list) != len(list) {
				t.Errorf("a list has room for what one request appends: %d of %d", len(list), cap(list))
			}
		}
		if member, ok := c.Raw("sub"); ok {
			member[1] = 'x'
		}
		for _, raw := range c.All() {
			raw[0] = 'x'
		}
	}
}

func TestS016_FailuresAreNotRemembered(t *testing.T) {
	v := testVerifier(t, nil)
	raw := sign(t, idClaims())
	if _, err := v.IDToken(t.Context(), raw[:len(raw)-4]+"AAAA", IDExpectations{}); err == nil {
		t.Fatal("IDToken() = nil")
	}
	if _, err := v.AccessToken(t.Context(), raw); err == nil {
		t.Fatal("AccessToken() = nil")
	}
	if n := entries(v); n != 0 {
		t.Errorf("the cache holds %d tokens, want none", n)
	}
}

func TestS016_CacheIsBounded(t *testing.T) {
	for _, size := range []int{2, 3, 31, 32, 33, 1000} {
		c := newCache(size)
		for i := range 4 * size {
			c.put(cacheID{sum: hash(fmt.Sprint(i))}, entry{})
		}
		n := 0
		for i := range c.shards {
			n += len(c.shards[i].young) + len(c.shards[i].old)
		}
		if n > size || n < size/4 {
			t.Errorf("a cache of %d holds %d", size, n)
		}
	}
	if newCache(-1) != nil || newCache(1) != nil {
		t.Error("a cache without room is not nil")
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache(2 * 16 * 8)
	used := cacheID{sum: hash("used")}
	c.put(used, entry{keyID: "used"})
	for i := range 10_000 {
		c.put(cacheID{sum: hash(fmt.Sprint(i))}, entry{})
		if e, ok := c.get(used); !ok || e.keyID != "used" {
			t.Fatalf("after %d others, the entry that is used all the time is gone", i)
		}
	}
	if _, ok := c.get(cacheID{sum: hash("0")}); ok {
		t.Error("an entry that nobody used is still there")
	}
	if _, ok := c.get(cacheID{sum: used.sum, access: true}); ok {
		t.Error("an entry answers for another use")
	}
}

func TestCacheOff(t *testing.T) {
	keys := &countingKeys{answer: func(keyID string) (*rsa.PublicKey, error) { return poolKeys().Key(t.Context(), keyID) }}
	v := testVerifier(t, func(c *Config) { c.CacheSize, c.Keys = -1, keys })
	raw := sign(t, accessClaims())
	for range 3 {
		if _, err := v.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if v.cache != nil || keys.calls.Load() != 3 {
		t.Errorf("%d questions for a key", keys.calls.Load())
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	v := testVerifier(t, func(c *Config) { c.CacheSize = 4 })
	var tokens []string
	for i := range 8 {
		tokens = append(tokens, sign(t, with(accessClaims(), object{"jti": fmt.Sprint(i)})))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				n := (i + j) % len(tokens)
				c, err := v.AccessToken(t.Context(), tokens[n])
				if err != nil || c.ID != fmt.Sprint(n) {
					t.Errorf("token %d: %v, %v", n, c, err)
					return
				}
				if c.Groups[0] == "" {
					t.Error("a group without a name")
				}
			}
		})
	}
	wg.Wait()
}
