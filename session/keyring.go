package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// Keyring seals small values that a browser carries for us. The first key seals, and all
// keys open. To rotate, put a new key first. Remove the last one when nothing that it
// sealed is valid any more. Each purpose has its own key, so a value made for one purpose
// is worthless for another. It is safe for concurrent use, and prints as a placeholder.
type Keyring struct {
	now atomic.Pointer[keys]
	dir *keyDir // nil: the keys stay what they are
}

// keys are what a ring holds at one time.
type keys struct {
	masters [][]byte
	ids     [][]byte

	mu    sync.RWMutex
	aeads map[string][]cipher.AEAD // by purpose
}

const (
	// KeySize is the size of a key in bytes.
	KeySize  = 32
	keyIDLen = 4
)

// NewKeyring takes keys of [KeySize] random bytes, with the sealing key first. It refuses
// keys of another size, repeated keys, and keys that cannot be random.
func NewKeyring(keys ...[]byte) (*Keyring, error) {
	k, err := newKeys(keys)
	if err != nil {
		return nil, err
	}
	ring := new(Keyring)
	ring.now.Store(k)
	return ring, nil
}

func newKeys(list [][]byte) (*keys, error) {
	if len(list) == 0 {
		return nil, errors.New("make key ring: no key; make one with: openssl rand -base64 32")
	}
	ring := &keys{aeads: make(map[string][]cipher.AEAD)}
	var faults []error
	seen := make(map[string]bool)
	for i, key := range list {
		switch {
		case len(key) != KeySize:
			faults = append(faults, fmt.Errorf("key %d has %d bytes and needs %d", i+1, len(key), KeySize))
		case distinct(key) < 12:
			faults = append(faults, fmt.Errorf("key %d is not random; make one with: openssl rand -base64 32", i+1))
		case seen[string(key)]:
			faults = append(faults, fmt.Errorf("key %d repeats another one", i+1))
		}
		seen[string(key)] = true
		id, err := hkdf.Key(sha256.New, key, nil, "codegrant key id", keyIDLen)
		if err != nil {
			return nil, fmt.Errorf("make key ring: %w", err)
		}
		ring.masters = append(ring.masters, append([]byte(nil), key...))
		ring.ids = append(ring.ids, id)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("make key ring: %w", errors.Join(faults...))
	}
	return ring, nil
}

// RandomKeyring makes a ring of one new key, which ends with the process.
func RandomKeyring() *Keyring {
	for {
		key := make([]byte, KeySize)
		rand.Read(key)
		if ring, err := NewKeyring(key); err == nil {
			return ring
		}
	}
}

// distinct counts different bytes. 32 random ones hold fewer than 12 about never;
// words typed over and over do.
func distinct(key []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range key {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

func (k *keys) forPurpose(purpose string) []cipher.AEAD {
	k.mu.RLock()
	aeads, ok := k.aeads[purpose]
	k.mu.RUnlock()
	if ok {
		return aeads
	}
	for _, master := range k.masters {
		key, err := hkdf.Key(sha256.New, master, nil, "codegrant seal "+purpose, KeySize)
		if err != nil {
			panic(err) // the size is within HKDF's limit
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(err)
		}
		aeads = append(aeads, aead)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.aeads[purpose] = aeads
	return aeads
}

// Seal encrypts content for a purpose, a constant of the caller, and binds it to data. The
// result does not contain data: Open needs it again.
func (k *Keyring) Seal(purpose string, content, data []byte) string {
	keys := k.current()
	aead := keys.forPurpose(purpose)[0]
	b := make([]byte, 1+keyIDLen+aead.NonceSize(), 1+keyIDLen+aead.NonceSize()+len(content)+aead.Overhead())
	b[0] = sealedVersion
	copy(b[1:], keys.ids[0])
	rand.Read(b[1+keyIDLen:])
	return base64.RawURLEncoding.EncodeToString(aead.Seal(b, b[1+keyIDLen:], content, data))
}

// Open decrypts what [Keyring.Seal] made for the same purpose and data. It returns
// [ErrMalformed] if Seal did not make the value. It returns [ErrSealed] if the key is gone,
// or if purpose or data differ.
func (k *Keyring) Open(purpose, sealed string, data []byte) ([]byte, error) {
	b, err := strictBase64.DecodeString(sealed)
	// The decoder skips line breaks, which would be a second string for the same.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(sealed) || len(b) < 1+keyIDLen+12+16 || b[0] != sealedVersion {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrMalformed)
	}
	keys := k.current()
	if k.dir != nil && !keys.has(b[1:1+keyIDLen]) {
		keys = k.dir.look(k, unknownKeyPause) // another process may have seen a new key first
	}
	if content, ok := keys.open(purpose, b[1:], data); ok {
		return content, nil
	}
	return nil, fmt.Errorf("open %s: %w", purpose, ErrSealed)
}

// has reports whether there is a key of this id.
func (k *keys) has(id []byte) bool {
	return slices.ContainsFunc(k.ids, func(own []byte) bool { return string(own) == string(id) })
}

// open opens the id of a key, a nonce and what they sealed.
func (k *keys) open(purpose string, b, data []byte) ([]byte, bool) {
	for i, aead := range k.forPurpose(purpose) {
		if string(b[:keyIDLen]) != string(k.ids[i]) {
			continue
		}
		nonce, sealed := b[keyIDLen:keyIDLen+aead.NonceSize()], b[keyIDLen+aead.NonceSize():]
		if content, err := aead.Open(nil, nonce, sealed, data); err == nil {
			return content, true
		}
	}
	return nil, false
}

// current returns the keys as they are, read again where that is due.
func (k *Keyring) current() *keys {
	if k.dir != nil {
		return k.dir.look(k, lookPause)
	}
	return k.now.Load()
}

const redactedKeys = "[key ring]"

// String, and the methods below, keep the keys out of logs.
func (*Keyring) String() string { return redactedKeys }

// GoString implements [fmt.GoStringer].
func (*Keyring) GoString() string { return redactedKeys }

// Format implements [fmt.Formatter] for every verb.
func (*Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedKeys) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (*Keyring) MarshalText() ([]byte, error) { return []byte(redactedKeys), nil }

// LogValue implements [slog.LogValuer].
func (*Keyring) LogValue() slog.Value { return slog.StringValue(redactedKeys) }

// Derive returns 32 bytes for each key, in their order, for a purpose of the caller, such
// as the seed of a signing key. They reveal nothing about the keys or about other purposes.
// If the ring follows a directory, Derive uses the current keys.
func (k *Keyring) Derive(purpose string) ([][]byte, error) {
	var all [][]byte
	for _, master := range k.current().masters {
		derived, err := hkdf.Key(sha256.New, master, nil, "codegrant derived "+purpose, KeySize)
		if err != nil {
			return nil, fmt.Errorf("derive a key: %w", err)
		}
		all = append(all, derived)
	}
	return all, nil
}
