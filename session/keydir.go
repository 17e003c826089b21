package session

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// lookPause is how old the keys of a directory may be when they are used.
	lookPause = 5 * time.Second
	// unknownKeyPause bounds how often values of keys that nobody has, which anybody
	// can send, have the directory read.
	unknownKeyPause = time.Second

	maxKeyFiles = 64
	maxKeyFile  = 4 << 10
)

// WatchKeys returns a ring of the keys in a directory. It reads the directory again when
// its files change. So you can rotate keys without a restart, and without signing anybody
// out.
//
// Each file holds one key in base64, as openssl rand -base64 32 prints it. The first by
// name seals, and all keys open. WatchKeys ignores names that begin with a dot, and entries
// that are not files. So the directory can be a mounted Kubernetes secret.
//
// To rotate keys that several processes share, give the new key a name that sorts last.
// When every process has it, give it a name that sorts first. Remove the old key when
// nothing that it sealed is valid any more.
//
// It is an error if the directory cannot be read, is empty, or holds anything but keys. If
// this happens later, the last keys stay in use. onFault, unless it is nil, then gets each
// new fault. No error contains a key.
//
// The ring checks the directory when you use it, at most every 5 seconds. If a value names
// an unknown key, it checks within a second. You do not have to close it.
func WatchKeys(dir string, onFault func(error)) (*Keyring, error) {
	d := &keyDir{path: dir, onFault: onFault, looked: time.Now()}
	keys, err := d.read()
	if err != nil {
		return nil, err
	}
	ring := &Keyring{dir: d}
	ring.now.Store(keys)
	return ring, nil
}

// keyDir is a directory of keys, and when it was looked at.
type keyDir struct {
	path    string
	onFault func(error)

	mu     sync.Mutex // guards the fields below
	looked time.Time
	fault  string // the last one that was told; empty: none since
}

// look returns the keys of the ring, after reading the directory where that was done
// longer than pause ago. Who finds somebody else reading does not wait.
func (d *keyDir) look(ring *Keyring, pause time.Duration) *keys {
	if !d.mu.TryLock() {
		return ring.now.Load()
	}
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.looked) >= pause {
		d.looked = now
		read, err := d.read()
		if err == nil {
			d.fault = ""
			if !read.same(ring.now.Load()) {
				ring.now.Store(read)
			}
		} else if d.fault != err.Error() {
			d.fault = err.Error()
			if d.onFault != nil {
				d.onFault(fmt.Errorf("%w; the keys read before stay in use", err))
			}
		}
	}
	return ring.now.Load()
}

// read reads the keys, in the order of their names.
func (d *keyDir) read() (*keys, error) {
	entries, err := os.ReadDir(d.path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var list [][]byte
	var faults []error
	for _, entry := range entries {
		path := filepath.Join(d.path, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		// By what a link leads to.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			continue
		}
		if len(list)+len(faults) == maxKeyFiles {
			faults = append(faults, fmt.Errorf("more than %d files; is it the right directory?", maxKeyFiles))
			break
		}
		key, err := readKey(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", entry.Name(), err))
			continue
		}
		list = append(list, key)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("read keys of %s: %w", d.path, errors.Join(faults...))
	}
	keys, err := newKeys(list)
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", d.path, err)
	}
	return keys, nil
}

func readKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("is not %d bytes in base64; make a key with: openssl rand -base64 %d", KeySize, KeySize)
	}
	return key, nil
}

// same reports whether both hold the same keys in the same order. What is derived
// from them need then not be derived again.
func (k *keys) same(other *keys) bool {
	if len(k.masters) != len(other.masters) {
		return false
	}
	for i := range k.masters {
		if !bytes.Equal(k.masters[i], other.masters[i]) {
			return false
		}
	}
	return true
}
