package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// app is an operation that Cognito takes without a signature: from apps, which
// have a client id, or an access token, instead.
func app[T any](f func(*API, *T) (any, error)) operation {
	return opened(admin(f))
}

func opened(op operation) operation {
	op.open = true
	return op
}

// client finds an app client, in the given pool where there is one.
func (a *API) client(id, poolID string) (state.Client, error) {
	c, ok := a.state.Client(id)
	if !ok || (poolID != "" && c.PoolID != poolID) {
		return c, &state.Error{Type: state.ResourceNotFound, Message: fmt.Sprintf("User pool client %s does not exist.", id)}
	}
	return c, nil
}

func unauthorized(format string, args ...any) error {
	return &state.Error{Type: state.NotAuthorized, Message: fmt.Sprintf(format, args...)}
}

// Cognito names a wrong hash differently in the first request and in later ones.
const (
	wrongHash      = "Unable to verify secret hash for client %s"
	wrongLaterHash = "SecretHash does not match for the client: %s"
)

// checkHash checks what a client with a secret proves itself by: an HMAC over the
// username and its id. Either of two live secrets will do.
func checkHash(c state.Client, username, hash, wrong string) error {
	switch {
	case len(c.Secrets) == 0 && hash == "":
		return nil
	case hash == "":
		return unauthorized("Client %s is configured with secret but SECRET_HASH was not received", c.ID)
	case slices.ContainsFunc(c.Secrets, func(secret string) bool {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(username + c.ID))
		return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(hash))
	}):
		return nil
	}
	return unauthorized(wrong, c.ID)
}

// hasSecret checks the secret itself, which newer operations take in its place.
func hasSecret(c state.Client, secret string) bool {
	return len(c.Secrets) == 0 || slices.ContainsFunc(c.Secrets, func(s string) bool {
		return subtle.ConstantTimeCompare([]byte(s), []byte(secret)) == 1
	})
}

// identify finds the client of a request, checks the hash over the name that it
// has, and, for a client that is to be told, that there is such a user.
func (a *API) identify(clientID, username, hash string) (state.Client, error) {
	c, err := a.client(clientID, "")
	if err != nil {
		return c, err
	}
	return c, checkHash(c, username, hash, wrongHash)
}

// delivery says where a code was sent to, in part.
type delivery struct {
	AttributeName  string
	DeliveryMedium string
	Destination    string
}

func deliveryTo(d state.Delivery) *delivery {
	switch {
	case d.To == "":
		return nil
	case d.Attribute == "phone_number":
		return &delivery{d.Attribute, "SMS", "+" + strings.Repeat("*", 7) + d.To[max(0, len(d.To)-4):]}
	}
	local, host, _ := strings.Cut(d.To, "@")
	return &delivery{d.Attribute, "EMAIL", initial(local) + "***@" + initial(host) + "***"}
}

func initial(s string) string {
	r, _ := utf8.DecodeRuneInString(s + "*")
	return string(r)
}

// pretended is where a code for nobody was not sent to.
func pretended(username string) *delivery {
	local, host, ok := strings.Cut(username, "@")
	if !ok {
		sum := sha256.Sum256([]byte(username))
		host = string(rune('a' + sum[0]%26))
	}
	return deliveryTo(state.Delivery{Attribute: "email", To: local + "@" + host})
}
