package codegrant

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// payload is what a session record seals, in two parts: who it is, which every
// signed-in request reads, and the tokens, which few do. It is written by hand
// because it is on that path: one conversion, no reflection.
type payload struct {
	identity  Identity
	issued    time.Time // of the access token
	refreshes bool      // there is a refresh token
	tokens    tokenPart
}

// tokenPart is opened when a token is needed.
type tokenPart struct {
	id, access, refresh cognito.Secret
	nonce               string   // of the sign-in: a refreshed ID token may repeat it, not change it
	replicated          [32]byte // digest of the snapshot last applied to the replica
}

// The versions are raised when a layout changes, and differ from each other, so
// that neither part can pass for the other. A record of another version means
// "not signed in", never a fault.
const (
	identityVersion = 0x12
	tokensVersion   = 0x21
)

var errPayload = errors.New("session payload of another version, or damaged")

// seal makes the sealed content of a record: the length of the first part, then
// both.
func (p *payload) seal(handle session.Handle, record session.Record) []byte {
	first := handle.Seal(record, p.encodeIdentity())
	sealed := binary.AppendUvarint(nil, uint64(len(first)))
	sealed = append(sealed, first...)
	return append(sealed, handle.Seal(record, p.tokens.encode())...)
}

// openPayload opens the identity alone.
func openPayload(handle session.Handle, record session.Record) (*payload, error) {
	identity, _, err := splitSealed(record.Sealed)
	if err != nil {
		return nil, err
	}
	record.Sealed = identity
	plain, err := handle.Open(record)
	if err != nil {
		return nil, err
	}
	return decodeIdentity(plain)
}

// openTokens opens the tokens alone.
func openTokens(handle session.Handle, record session.Record) (tokenPart, error) {
	_, tokens, err := splitSealed(record.Sealed)
	if err != nil {
		return tokenPart{}, err
	}
	record.Sealed = tokens
	plain, err := handle.Open(record)
	if err != nil {
		return tokenPart{}, err
	}
	return decodeTokens(plain)
}

func splitSealed(sealed []byte) (identity, tokens []byte, err error) {
	n, used := binary.Uvarint(sealed)
	if used <= 0 || n > uint64(len(sealed)-used) {
		return nil, nil, errPayload
	}
	return sealed[used : used+int(n)], sealed[used+int(n):], nil
}

// encoder appends what decoder reads.
type encoder []byte

func (e *encoder) str(s string) {
	*e = binary.AppendUvarint(*e, uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) list(items []string) {
	*e = binary.AppendUvarint(*e, uint64(len(items)))
	for _, s := range items {
		e.str(s)
	}
}

func (e *encoder) varint(n int64) { *e = binary.AppendVarint(*e, n) }

func (e *encoder) flag(b bool) {
	if b {
		*e = append(*e, 1)
	} else {
		*e = append(*e, 0)
	}
}

func (p *payload) encodeIdentity() []byte {
	id := &p.identity
	e := append(make(encoder, 0, 256), identityVersion)
	e.varint(id.UserID)
	e.str(id.Username)
	e.str(id.Email)
	e.flag(id.EmailVerified)
	e.str(id.Name)
	e.list(id.Groups)
	e.list(id.Scopes)
	e.varint(id.AuthTime.Unix())
	e.varint(id.Expires.Unix())
	e.varint(p.issued.Unix())
	e.flag(p.refreshes)
	return e
}

// decodeIdentity reads what encodeIdentity wrote. All strings share one backing
// string.
func decodeIdentity(plain []byte) (*payload, error) {
	d := decoder{s: string(plain)}
	if d.byte() != identityVersion {
		return nil, errPayload
	}
	p := new(payload)
	id := &p.identity
	id.UserID = d.varint()
	id.Username = d.str()
	id.Email = d.str()
	id.EmailVerified = d.flag()
	id.Name = d.str()
	id.Groups = d.list()
	id.Scopes = d.list()
	id.AuthTime = time.Unix(d.varint(), 0)
	id.Expires = time.Unix(d.varint(), 0)
	p.issued = time.Unix(d.varint(), 0)
	p.refreshes = d.flag()
	if d.bad || d.s != "" {
		return nil, errPayload
	}
	return p, nil
}

func (t *tokenPart) encode() []byte {
	e := append(make(encoder, 0, 64+len(t.id)+len(t.access)+len(t.refresh)), tokensVersion)
	e.str(t.id.Reveal())
	e.str(t.access.Reveal())
	e.str(t.refresh.Reveal())
	e.str(t.nonce)
	return append(e, t.replicated[:]...)
}

func decodeTokens(plain []byte) (tokenPart, error) {
	var t tokenPart
	d := decoder{s: string(plain)}
	if d.byte() != tokensVersion {
		return t, errPayload
	}
	t.id, t.access, t.refresh = cognito.Secret(d.str()), cognito.Secret(d.str()), cognito.Secret(d.str())
	t.nonce = d.str()
	if d.bad || len(d.s) != len(t.replicated) {
		return tokenPart{}, errPayload
	}
	copy(t.replicated[:], d.s)
	return t, nil
}

type decoder struct {
	s   string
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.s) == 0 {
		d.bad = true
		return 0
	}
	c := d.s[0]
	d.s = d.s[1:]
	return c
}

func (d *decoder) flag() bool {
	c := d.byte()
	d.bad = d.bad || c > 1
	return c == 1
}

func (d *decoder) uvarint() uint64 {
	var x uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c := d.byte()
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) str() string {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.s)) {
		d.bad = true
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

func (d *decoder) list() []string {
	n := d.uvarint()
	// Each item takes a byte at least, so the count cannot exceed what is left.
	if d.bad || n > uint64(len(d.s)) {
		d.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	items := make([]string, n)
	for i := range items {
		items[i] = d.str()
	}
	return items
}

// digest identifies what a snapshot says about the person, apart from when.
func digest(s replica.Snapshot) [32]byte {
	s.At, s.SignIn = time.Time{}, false
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and maps of them
	}
	return sha256.Sum256(b)
}
