package keep

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
)

// A record seals two parts: who it is, which every signed-in request reads, and the
// tokens, which few do. They are written by hand because the first is on that path:
// one conversion, no reflection.

// The versions are raised when a layout changes, and differ from each other, so
// that neither part can pass for the other. A record of another version means
// "not signed in", never a fault.
const (
	identityVersion = 0x12
	// levelVersion has besides how well and by what the person proved who they are. It
	// is written where the pool says so, so that processes of before read the others.
	levelVersion  = 0x13
	tokensVersion = 0x21
)

var errPayload = errors.New("session payload of another version, or damaged")

// seal makes the sealed content of a record: the length of the first part, then
// both.
func (h *Held) seal(handle session.Handle, record session.Record) []byte {
	first, second := handle.Seal(record, h.encodeIdentity()), handle.Seal(record, encodeSet(h.set))
	sealed := make([]byte, 0, binary.MaxVarintLen16+len(first)+len(second))
	sealed = binary.AppendUvarint(sealed, uint64(len(first)))
	return append(append(sealed, first...), second...)
}

// openIdentity opens the identity alone.
func openIdentity(handle session.Handle, record session.Record) (*Held, error) {
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

// openSet opens the tokens alone.
func openSet(handle session.Handle, record session.Record) (prove.Set, error) {
	_, tokens, err := splitSealed(record.Sealed)
	if err != nil {
		return prove.Set{}, err
	}
	record.Sealed = tokens
	plain, err := handle.Open(record)
	if err != nil {
		return prove.Set{}, err
	}
	return decodeSet(plain)
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

func (h *Held) encodeIdentity() []byte {
	id := &h.Person
	version := byte(identityVersion)
	if id.ACR != "" || len(id.AMR) > 0 {
		version = levelVersion
	}
	e := append(make(encoder, 0, 256), version)
	if version == levelVersion {
		e = binary.AppendUvarint(e, uint64(len(id.Groups)+len(id.Scopes)+len(id.AMR)))
	}
	e.varint(id.UserID)
	e.str(id.Username)
	e.str(id.Email)
	e.flag(id.EmailVerified)
	e.str(id.Name)
	e.list(id.Groups)
	e.list(id.Scopes)
	e.varint(id.AuthTime.Unix())
	e.varint(id.Expires.Unix())
	e.varint(id.Issued.Unix())
	e.flag(h.Refreshes)
	if version == levelVersion {
		e.str(id.ACR)
		e.list(id.AMR)
	}
	return e
}

// decodeIdentity reads what encodeIdentity wrote. All strings share one backing
// string.
func decodeIdentity(plain []byte) (*Held, error) {
	d := decoder{s: string(plain)}
	version := d.byte()
	if version != identityVersion && version != levelVersion {
		return nil, errPayload
	}
	if version == levelVersion {
		d.reserve()
	}
	h := new(Held)
	id := &h.Person
	id.UserID = d.varint()
	id.Username = d.str()
	id.Email = d.str()
	id.EmailVerified = d.flag()
	id.Name = d.str()
	id.Groups = d.list()
	id.Scopes = d.list()
	id.AuthTime = time.Unix(d.varint(), 0)
	id.Expires = time.Unix(d.varint(), 0)
	id.Issued = time.Unix(d.varint(), 0)
	h.Refreshes = d.flag()
	if version == levelVersion {
		id.ACR, id.AMR = d.str(), d.list()
		d.bad = d.bad || id.ACR == "" && len(id.AMR) == 0
	}
	if d.bad || d.s != "" {
		return nil, errPayload
	}
	return h, nil
}

func encodeSet(t *prove.Set) []byte {
	const lengths = 4 * binary.MaxVarintLen16
	e := append(make(encoder, 0, 1+lengths+len(t.ID)+len(t.Access)+len(t.Refresh)+len(t.Nonce)+len(t.Replicated)), tokensVersion)
	e.str(t.ID.Reveal())
	e.str(t.Access.Reveal())
	e.str(t.Refresh.Reveal())
	e.str(t.Nonce)
	return append(e, t.Replicated[:]...)
}

func decodeSet(plain []byte) (prove.Set, error) {
	var t prove.Set
	d := decoder{s: string(plain)}
	if d.byte() != tokensVersion {
		return t, errPayload
	}
	t.ID, t.Access, t.Refresh = cognito.Secret(d.str()), cognito.Secret(d.str()), cognito.Secret(d.str())
	t.Nonce = d.str()
	if d.bad || len(d.s) != len(t.Replicated) {
		return prove.Set{}, errPayload
	}
	copy(t.Replicated[:], d.s)
	return t, nil
}

type decoder struct {
	s    string
	bad  bool
	room []string // for the items of lists, all in one
}

// reserve reads how many items the lists have together, and makes room for them.
func (d *decoder) reserve() {
	n := d.uvarint()
	// As in list.
	if d.bad || n > uint64(len(d.s)) {
		d.bad = true
		return
	}
	d.room = make([]string, n)
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
	var items []string
	if n <= uint64(len(d.room)) {
		items, d.room = d.room[:n:n], d.room[n:]
	} else {
		items = make([]string, n)
	}
	for i := range items {
		items[i] = d.str()
	}
	return items
}
