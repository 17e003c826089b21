package settings

import (
	cryptotls "crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bytes"
	"crypto/x509"
	"github.com/codegrant/codegrant/session"
)

// keyring reads the keys from wherever they are: nil where there are none, or a
// fault was recorded.
func (r *reader) keyring(list []string, file, dir string) (*session.Keyring, time.Time) {
	given := 0
	for _, key := range []string{"keys", "keys_file", "keys_dir"} {
		if r.has(key) {
			if given++; given == 2 {
				r.fault(key, "set only one of keys, keys_file and keys_dir")
			}
		}
	}
	var keys []string
	var since time.Time
	at := "keys"
	switch {
	case given != 1:
		return nil, since
	case file != "":
		at = "keys_file"
		keys, since = r.keyFile(at, file)
	case dir != "":
		at = "keys_dir"
		keys, since = r.keyDir(at, dir)
	default:
		keys = list
	}
	var raw [][]byte
	for i, text := range keys {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			r.fault(at, "key %d is not base64; create one with: openssl rand -base64 32", i+1)
			return nil, since
		}
		raw = append(raw, key)
	}
	if len(raw) == 0 {
		if !slices.ContainsFunc(r.faults, func(f Fault) bool { return strings.HasPrefix(f.Key, at) }) {
			r.fault(at, "there is no key; create one with: openssl rand -base64 32")
		}
		return nil, since
	}
	ring, err := session.NewKeyring(raw...)
	if err != nil {
		for _, leaf := range leaves(errors.Unwrap(err)) {
			r.fault(at, "%w", leaf)
		}
		return nil, since
	}
	return ring, since
}

// keyFile reads keys, one a line; what follows # is a comment.
func (r *reader) keyFile(at, path string) (keys []string, since time.Time) {
	for line := range strings.Lines(string(r.readFile(at, path, true))) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, line)
		}
	}
	if info, err := os.Stat(r.beside(path)); err == nil {
		since = info.ModTime()
	}
	return keys, since
}

// keyDir reads every file of a folder, the last by name first: files are named by
// date, or numbered. Hidden ones are left out, which Kubernetes has beside those of
// a secret.
func (r *reader) keyDir(at, dir string) (keys []string, since time.Time) {
	dir = r.beside(dir)
	r.files = append(r.files, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.fault(at, "%w", plain(err))
		return nil, since
	}
	slices.Reverse(entries) // ReadDir sorts by name
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(path); strings.HasPrefix(entry.Name(), ".") || err == nil && info.IsDir() {
			continue
		}
		found, written := r.keyFile(at, path)
		if len(keys) == 0 {
			since = written
		}
		keys = append(keys, found...)
	}
	return keys, since
}

// checkPair says what is wrong with a certificate without a word of the key, and finds
// out when it expires.
func checkPair(c *Certificate) error {
	pair, err := cryptotls.X509KeyPair(c.Chain, c.Key)
	if err != nil {
		return err
	}
	for i, der := range pair.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %d of the chain: %w", i+1, err)
		}
		// Clients have roots of their own, and do not look at one that is sent.
		root := i > 0 && bytes.Equal(one.RawIssuer, one.RawSubject)
		if !root && (c.Expires.IsZero() || one.NotAfter.Before(c.Expires)) {
			c.Expires = one.NotAfter
		}
	}
	return nil
}
