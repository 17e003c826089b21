package session_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/session"
)

func key(seed byte) []byte {
	k := make([]byte, session.KeySize)
	for i := range k {
		k[i] = seed + byte(i)*7
	}
	return k
}

func ring(t testing.TB, keys ...[]byte) *session.Keyring {
	t.Helper()
	r, err := session.NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestS136_KeysRotate(t *testing.T) {
	old, both, next := ring(t, key(1)), ring(t, key(2), key(1)), ring(t, key(2))
	sealed := old.Seal("p", []byte("content"), []byte("data"))
	if got, err := both.Open("p", sealed, []byte("data")); err != nil || string(got) != "content" {
		t.Errorf("with the old key second: %q, %v", got, err)
	}
	if _, err := next.Open("p", sealed, []byte("data")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("with the old key gone: %v, want %v", err, session.ErrSealed)
	}
	if got, err := next.Open("p", both.Seal("p", []byte("x"), nil), nil); err != nil || string(got) != "x" {
		t.Errorf("the first key does not seal: %v", err)
	}
}

func TestS027_S124_KeyringPurposes(t *testing.T) {
	r := session.RandomKeyring()
	sealed := r.Seal("one", []byte("content"), []byte("data"))
	if _, err := r.Open("two", sealed, []byte("data")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("another purpose: %v, want %v", err, session.ErrSealed)
	}
	if _, err := r.Open("one", sealed, []byte("other")); !errors.Is(err, session.ErrSealed) {
		t.Errorf("other data: %v, want %v", err, session.ErrSealed)
	}
	for _, value := range []string{"", "x", sealed + "=", sealed[:len(sealed)-2], "\n" + sealed, sealed + "\n"} {
		if _, err := r.Open("one", value, []byte("data")); err == nil {
			t.Errorf("Open(%q) succeeded", value)
		}
	}
}

func TestS136_RotatedWhileInUse(t *testing.T) {
	before, during, after := ring(t, key(1)), ring(t, key(1), key(2)), ring(t, key(2), key(1))
	instances := []*session.Keyring{before, during, after}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			purpose := fmt.Sprint("purpose ", i%5)
			sealed := instances[i%2].Seal(purpose, []byte("content"), nil)
			for _, instance := range instances {
				if got, err := instance.Open(purpose, sealed, nil); err != nil || string(got) != "content" {
					t.Errorf("Open() = %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestS135_NoByteOfASealedValueCanChange(t *testing.T) {
	r := ring(t, key(1))
	sealed := r.Seal("p", []byte("content"), nil)
	for i := range sealed {
		changed := []byte(sealed)
		if changed[i]++; changed[i] == '[' || changed[i] == '{' {
			changed[i] = 'A'
		}
		if _, err := r.Open("p", string(changed), nil); err == nil {
			t.Errorf("Open() succeeded with character %d changed", i)
		}
	}
}

func TestS137_BadKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none": nil, "short": {key(1)[:31]}, "long": {append(key(1), 1)}, "empty": {{}}, "zeros": {make([]byte, 32)},
		"words": {[]byte("passwordpasswordpasswordpassword")}, "one of two": {key(1), key(2)[:16]}, "twice": {key(1), key(1)},
	} {
		if _, err := session.NewKeyring(keys...); err == nil {
			t.Errorf("%s: NewKeyring() succeeded", name)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func FuzzKeyringOpen(f *testing.F) {
	r := ring(f, key(1))
	good := r.Seal("p", []byte("content"), nil)
	f.Add(good)
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, value string) {
		if got, err := r.Open("p", value, nil); err == nil && (value != good || string(got) != "content") {
			t.Errorf("Open(%q) = %q, which was never sealed", value, got)
		}
	})
}
