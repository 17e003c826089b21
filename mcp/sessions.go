package mcp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/codegrant/codegrant"
)

// sessionHeader names a session of the protocol, up to its revision of 2025-11-25.
const sessionHeader = "Mcp-Session-Id"

const maxSessionID = 1024 // bytes of a server's

// bind makes of a server's session id the one that a client is told, which is of use to
// nobody but the person. It is the same each time.
func (res *Resource) bind(id string, who *codegrant.Identity) string {
	return id + "." + res.seal(0, id, who)
}

// bound is the server's session id of a client's. It reports false where that is somebody
// else's, or none.
func (res *Resource) bound(given string, who *codegrant.Identity) (id string, ok bool) {
	at := strings.LastIndexByte(given, '.')
	if at <= 0 || at > maxSessionID {
		return "", false
	}
	id = given[:at]
	for key := range res.keys {
		if hmac.Equal([]byte(given[at+1:]), []byte(res.seal(key, id, who))) {
			return id, true
		}
	}
	return "", false
}

func (res *Resource) seal(key int, id string, who *codegrant.Identity) string {
	mac := hmac.New(sha256.New, res.keys[key])
	var b []byte
	for _, s := range [...]string{res.URL, who.Issuer, who.Subject, id} {
		b = binary.AppendUvarint(b[:0], uint64(len(s)))
		mac.Write(append(b, s...))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// isSessionID reports whether a server's session id is one (Streamable HTTP: visible ASCII).
func isSessionID(id string) bool {
	return id != "" && len(id) <= maxSessionID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}
