package codegrant

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
)

// payload is what a session record seals. It is written by hand because it is
// read on every signed-in request: one conversion, no reflection.
type payload struct {
	identity     Identity
	refreshToken cognito.Secret
	nonce        string   // of the sign-in: a refreshed ID token may repeat it, not change it
	replicated   [32]byte // digest of the snapshot last applied to the replica
}

// payloadVersion is raised when the layout changes. A record of another version
// means "not signed in", never a fault.
const payloadVersion = 1

var errPayload = errors.New("session payload of another version, or damaged")

func (p *payload) encode() []byte {
	id := &p.identity
	b := make([]byte, 0, 256+len(id.idToken)+len(id.accessToken)+len(p.refreshToken))
	b = append(b, payloadVersion)
	str := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	list := func(items []string) {
		b = binary.AppendUvarint(b, uint64(len(items)))
		for _, s := range items {
			str(s)
		}
	}
	moment := func(t time.Time) { b = binary.AppendVarint(b, t.Unix()) }

	b = binary.AppendVarint(b, id.UserID)
	str(id.Username)
	str(id.Email)
	if id.EmailVerified {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	str(id.Name)
	list(id.Groups)
	list(id.Scopes)
	moment(id.AuthTime)
	moment(id.Expires)
	str(id.idToken.Reveal())
	str(id.accessToken.Reveal())
	str(p.refreshToken.Reveal())
	str(p.nonce)
	return append(b, p.replicated[:]...)
}

// decodePayload reads what encode wrote. All strings share one backing string.
func decodePayload(plain []byte) (*payload, error) {
	d := decoder{s: string(plain)}
	if d.byte() != payloadVersion {
		return nil, errPayload
	}
	p := new(payload)
	id := &p.identity
	id.UserID = d.varint()
	id.Username = d.str()
	id.Email = d.str()
	id.EmailVerified = d.byte() == 1
	id.Name = d.str()
	id.Groups = d.list()
	id.Scopes = d.list()
	id.AuthTime = time.Unix(d.varint(), 0)
	id.Expires = time.Unix(d.varint(), 0)
	id.idToken = cognito.Secret(d.str())
	id.accessToken = cognito.Secret(d.str())
	p.refreshToken = cognito.Secret(d.str())
	p.nonce = d.str()
	if d.bad || len(d.s) != len(p.replicated) {
		return nil, errPayload
	}
	copy(p.replicated[:], d.s)
	return p, nil
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
