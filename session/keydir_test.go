package session_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/session"
)

// writeKey writes a key as an operator does.
func writeKey(t testing.TB, dir, name string, key []byte) {
	t.Helper()
	writeText(t, dir, name, base64.StdEncoding.EncodeToString(key)+"\n")
}

func writeText(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func watch(t testing.TB, dir string, onFault func(error)) *session.Keyring {
	t.Helper()
	ring, err := session.WatchKeys(dir, onFault)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func opens(r *session.Keyring, sealed string) bool {
	content, err := r.Open("p", sealed, nil)
	return err == nil && string(content) == "x"
}

// TestS136_ADirectoryOfKeysRotates rotates as the documentation says: at no step is
// anything refused that one of two processes sealed.
func TestS136_ADirectoryOfKeysRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		writeKey(t, dir, "5-old", key(1))
		one, two := watch(t, dir, nil), watch(t, dir, nil)
		seal := func() string { return one.Seal("p", []byte("x"), nil) }
		old, next := ring(t, key(1)), ring(t, key(2))
		sealed := []string{seal()}
		for step, do := range []func(){
			func() { writeKey(t, dir, "6-new", key(2)) },
			func() { writeKey(t, dir, "4-new", key(2)); remove(t, dir, "6-new") },
			func() {},
		} {
			do()
			for range 2 {
				time.Sleep(5 * time.Second)
				sealed = append(sealed, seal())
			}
			for i, value := range sealed {
				if !opens(two, value) {
					t.Errorf("step %d: value %d is refused", step, i)
				}
			}
		}
		if last := len(sealed) - 1; !opens(old, sealed[2]) || !opens(next, sealed[last]) {
			t.Error("the first by name does not seal")
		}
		remove(t, dir, "5-old")
		time.Sleep(5 * time.Second)
		if opens(two, sealed[0]) || !opens(two, seal()) {
			t.Error("a key that was taken away opens, or the one that stays does not")
		}
	})
}

// A process need not wait for its next look when another one has seen a new key, and
// values of keys that nobody has do not have the directory read each time.
func TestS136_AKeyThatAnotherProcessSawFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		writeKey(t, dir, "b", key(1))
		r := watch(t, dir, nil)
		time.Sleep(time.Second)
		writeKey(t, dir, "a", key(2))
		if !opens(r, ring(t, key(2)).Seal("p", []byte("x"), nil)) {
			t.Error("the new key is not looked for")
		}
		writeKey(t, dir, "c", key(3))
		sealed := ring(t, key(3)).Seal("p", []byte("x"), nil)
		if opens(r, sealed) {
			t.Error("the directory was read twice within a second")
		}
		time.Sleep(time.Second)
		if !opens(r, sealed) {
			t.Error("the new key is not looked for again")
		}
	})
}

func TestS136_ADirectoryThatBreaksLater(t *testing.T) {
	for name, breaks := range map[string]func(t *testing.T, dir string){
		"half a key": func(t *testing.T, dir string) {
			writeText(t, dir, "a", base64.StdEncoding.EncodeToString(key(2))[:20])
		},
		"no key": func(t *testing.T, dir string) { remove(t, dir, "a") },
		"gone": func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				writeKey(t, dir, "a", key(1))
				var faults []string
				r := watch(t, dir, func(err error) { faults = append(faults, err.Error()) })
				sealed := r.Seal("p", []byte("x"), nil)
				breaks(t, dir)
				for range 3 {
					time.Sleep(5 * time.Second)
					if !opens(r, sealed) || !opens(r, r.Seal("p", []byte("x"), nil)) {
						t.Error("the keys that were read are not in use")
					}
				}
				if len(faults) != 1 || !strings.Contains(faults[0], "stay in use") {
					t.Errorf("told %q, want one fault", faults)
				}
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				writeKey(t, dir, "a", key(3))
				time.Sleep(5 * time.Second)
				if !opens(ring(t, key(3)), r.Seal("p", []byte("x"), nil)) || len(faults) != 1 {
					t.Errorf("once it is whole: the new key does not seal, or %q", faults)
				}
			})
		})
	}
}

func TestWatchKeysRefuses(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString(key(9))
	for name, files := range map[string]map[string]string{
		"nothing":             {},
		"only what is hidden": {".a": secret},
		"a short key":         {"a": secret, "b": secret[:24]},
		"words":               {"a": "correct horse battery staple"},
		"two keys a file":     {"a": secret + "\n" + base64.StdEncoding.EncodeToString(key(8))},
		"a key twice":         {"a": secret, "b": secret},
		"no random one":       {"a": base64.StdEncoding.EncodeToString(make([]byte, 32))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range files {
				writeText(t, dir, file, text)
			}
			_, err := session.WatchKeys(dir, nil)
			if err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), secret[:8]) || strings.Contains(err.Error(), "horse") {
				t.Errorf("WatchKeys = %v, want an error that names the directory and no key", err)
			}
		})
	}
	if _, err := session.WatchKeys(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("WatchKeys = %v, want %v", err, os.ErrNotExist)
	}
}

// A secret that Kubernetes mounts: links into a hidden folder, which is replaced.
func TestWatchKeysFollowsLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for i, name := range []string{"..one", "..two"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			writeKey(t, filepath.Join(dir, name), "key", key(byte(i+1)))
		}
		link := func(to, name string) {
			t.Helper()
			_ = os.Remove(filepath.Join(dir, name))
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		link("..one", "..data")
		link("..data/key", "key")
		link("..data", "folder")
		r := watch(t, dir, nil)
		link("..two", "..data")
		time.Sleep(5 * time.Second)
		if !opens(ring(t, key(2)), r.Seal("p", []byte("x"), nil)) {
			t.Error("the new secret is not in use")
		}
	})
}

func TestWatchKeysInUseByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		writeKey(t, dir, "z", key(1))
		r := watch(t, dir, func(err error) { t.Error(err) })
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 100 {
					time.Sleep(time.Duration(1+i) * 100 * time.Millisecond)
					if !opens(r, r.Seal("p", []byte("x"), nil)) {
						t.Error("refused")
					}
				}
			})
		}
		time.Sleep(10 * time.Second)
		aside := t.TempDir()
		writeKey(t, aside, "y", key(2))
		if err := os.Rename(filepath.Join(aside, "y"), filepath.Join(dir, "y")); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	})
}
