package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrMalformed: this package did not make the value.
var ErrMalformed = errors.New("malformed value")

// ErrSealed: the content does not open under this key, or belongs to another record.
var ErrSealed = errors.New("sealed content does not open")

const (
	handleVersion = 1
	idSize        = 32
	keySize       = 32
	handleSize    = 1 + idSize + keySize
	sealedVersion = 1
)

// Handle is the browser's part of a session: an id to find it and a key to open it. It is a
// secret. Printing it shows a placeholder.
type Handle struct {
	id  [idSize]byte
	key [keySize]byte
}

// NewHandle draws a handle from the system's random source.
func NewHandle() Handle {
	var h Handle
	rand.Read(h.id[:]) // never fails: a broken source ends the process
	rand.Read(h.key[:])
	return h
}

// ParseHandle reads only what [Handle.Encode] wrote: there is one string for each handle.
func ParseHandle(value string) (Handle, error) {
	var h Handle
	if len(value) != base64.RawURLEncoding.EncodedLen(handleSize) {
		return h, fmt.Errorf("parse session cookie: %w", ErrMalformed)
	}
	var b [handleSize]byte
	if n, err := strictBase64.Decode(b[:], []byte(value)); err != nil || n != handleSize || b[0] != handleVersion {
		return h, fmt.Errorf("parse session cookie: %w", ErrMalformed)
	}
	copy(h.id[:], b[1:])
	copy(h.key[:], b[1+idSize:])
	return h, nil
}

// strictBase64 refuses trailing bits, so that no two strings mean the same.
var strictBase64 = base64.RawURLEncoding.Strict()

// Encode returns the cookie's value.
func (h Handle) Encode() string {
	b := make([]byte, 0, handleSize)
	b = append(b, handleVersion)
	b = append(b, h.id[:]...)
	b = append(b, h.key[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// RecordID returns the ID of the session's record. It is a hash and does not reveal the id.
func (h Handle) RecordID() string {
	sum := sha256.Sum256(h.id[:])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Seal encrypts content for a record. It opens only with the same handle and in
// a record of the same ID, Pool and Subject: content cannot be moved between
// rows.
func (h Handle) Seal(record Record, content []byte) []byte {
	aead := h.aead()
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(content)+aead.Overhead())
	sealed[0] = sealedVersion
	rand.Read(sealed[1:])
	return aead.Seal(sealed, sealed[1:], content, recordData(record))
}

// Open decrypts what Seal made, or returns [ErrSealed].
func (h Handle) Open(record Record) ([]byte, error) {
	aead := h.aead()
	n := 1 + aead.NonceSize()
	if len(record.Sealed) < n || record.Sealed[0] != sealedVersion {
		return nil, fmt.Errorf("open session: %w: another version, or damaged", ErrSealed)
	}
	content, err := aead.Open(nil, record.Sealed[1:n], record.Sealed[n:], recordData(record))
	if err != nil {
		return nil, fmt.Errorf("open session: %w", ErrSealed)
	}
	return content, nil
}

// aead needs no key derivation: the key is random, and has this one use.
func (h Handle) aead() cipher.AEAD {
	block, err := aes.NewCipher(h.key[:])
	if err != nil {
		panic(err) // the key's size is fixed
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// recordData names the purpose and the row, each part with its length.
func recordData(r Record) []byte {
	b := make([]byte, 0, 64+len(r.ID)+len(r.Pool)+len(r.Subject))
	b = append(b, "codegrant session"...)
	for _, part := range [...]string{r.ID, r.Pool, r.Subject} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return append(b, sealedVersion)
}

const redacted = "[session handle]"

// String, and the methods below, keep the handle out of logs.
func (Handle) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Handle) GoString() string { return redacted }

// Format implements [fmt.Formatter] for every verb.
func (Handle) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (Handle) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Handle) LogValue() slog.Value { return slog.StringValue(redacted) }
