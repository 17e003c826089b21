package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Secret signs messages, so that a receiver can verify them. It prints as a placeholder.
type Secret struct{ key []byte }

const (
	secretPrefix = "whsec_"
	minSecret    = 24 // bytes, as Standard Webhooks asks for
	maxSecret    = 64
)

var errSecret = errors.New("it must be whsec_ and 24 to 64 random bytes in base64, as codegrant webhooks secret prints it")

// ParseSecret reads a secret in the form whsec_…. The error does not quote it.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, errSecret
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, errSecret
	}
	return Secret{key}, nil
}

// NewSecret returns a new secret in the form that [ParseSecret] reads. Give it to both
// sides.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

const redacted = "[secret]"

// String, and the methods below, keep the value out of logs.
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// signature is the header webhook-signature: one for each secret, so that a receiver
// which knows any of them takes the message.
func signature(secrets []Secret, id string, at time.Time, body []byte) string {
	var all []string
	for _, s := range secrets {
		mac := hmac.New(sha256.New, s.key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}
