package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/codegrant/codegrant/session"
)

// A record is one value, with its fields where the scripts look for them:
//
//	 0     format
//	 1     flags
//	 2- 9  version         ┐
//	10-17  expires         │ what a swap brings
//	18-25  last seen       │
//	26-33  lease until     ┘
//	34-41  indexed         until when the index names the session; see index.go
//	42-49  check           of the ID, so that no answer is taken for another one's
//	50-57  created
//	58-59  length of pool
//	60-61  length of subject
//	62-    pool, subject, content
//
// Numbers are big-endian. Times are microseconds since 1970, 0 for the zero time;
// indexed is in milliseconds.
const (
	format    = 1
	flagStale = 1

	atVersion = 2
	atExpires = 10
	atIndexed = 34 // what comes before is what a swap brings; from here on it stays
	atCheck   = 42
	atPerson  = 58 // from here to the content: whose session it is
	headSize  = 62

	maxID      = 255
	maxPool    = 512
	maxSubject = 255
	maxContent = 1<<24 - 1
	maxHead    = headSize + maxPool + maxSubject
)

// ErrFormat: a record is damaged, or was written by a release that this one is too
// old for. It is a [session.ErrDamaged], and comes with [session.ErrUnavailable].
var ErrFormat = fmt.Errorf("%w: it has a format that this release does not read; if a newer one is in use, update this process", session.ErrDamaged)

// errSwapped: the record is whole, and of another session.
var errSwapped = fmt.Errorf("%w: it is of another session", session.ErrDamaged)

// errTooLong comes with [session.ErrUnavailable]: no person can do anything.
var errTooLong = errors.New("it does not fit")

func fits(r session.Record) error {
	for _, part := range []struct {
		what      string
		size, max int
	}{
		{"ID", len(r.ID), maxID}, {"pool", len(r.Pool), maxPool}, {"subject", len(r.Subject), maxSubject}, {"content", len(r.Sealed), maxContent},
	} {
		if part.size > part.max {
			return fmt.Errorf("%w: the %s has %d bytes, and at most %d are kept", errTooLong, part.what, part.size, part.max)
		}
	}
	return nil
}

// encode makes the value of a record that fits.
func encode(r session.Record, indexed int64) []byte {
	b := make([]byte, 0, headSize+len(r.Pool)+len(r.Subject)+len(r.Sealed))
	b = appendSwapped(b, r)
	b = binary.BigEndian.AppendUint64(b, uint64(indexed))
	b = binary.BigEndian.AppendUint64(b, check(r.ID))
	b = appendMicros(b, r.Created)
	b = appendPerson(b, r.Pool, r.Subject)
	return append(b, r.Sealed...)
}

// appendSwapped appends the part of the head that a swap brings.
func appendSwapped(b []byte, r session.Record) []byte {
	var flags byte
	if r.Stale {
		flags |= flagStale
	}
	b = append(b, format, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version))
	b = appendMicros(b, r.Expires)
	b = appendMicros(b, r.LastSeen)
	return appendMicros(b, r.LeaseUntil)
}

// appendPerson appends whose session it is: pool and subject behind their lengths,
// so that where one ends and the other begins is part of it.
func appendPerson(b []byte, pool, subject string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(pool)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(subject)))
	b = append(b, pool...)
	return append(b, subject...)
}

// head is what a value says before its content.
type head struct {
	record  session.Record
	indexed int64
	size    int // of the head: the content follows
}

// decodeHead reads the value of session id, of which no more than the head needs to
// be there.
func decodeHead(id string, b []byte) (head, error) {
	if len(b) < headSize || b[0] != format {
		return head{}, ErrFormat
	}
	number := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	if number(atCheck) != check(id) {
		return head{}, errSwapped
	}
	pool, subject := int(binary.BigEndian.Uint16(b[atPerson:])), int(binary.BigEndian.Uint16(b[atPerson+2:]))
	h := head{indexed: int64(number(atIndexed)), size: headSize + pool + subject}
	if len(b) < h.size {
		return head{}, ErrFormat
	}
	h.record = session.Record{
		ID:         id,
		Pool:       string(b[headSize : headSize+pool]),
		Subject:    string(b[headSize+pool : h.size]),
		Version:    int64(number(atVersion)),
		Created:    moment(int64(number(50))),
		LastSeen:   moment(int64(number(18))),
		Expires:    moment(int64(number(atExpires))),
		LeaseUntil: moment(int64(number(26))),
		Stale:      b[1]&flagStale != 0,
	}
	return h, nil
}

// decode reads the value of session id. The record's content is part of b.
func decode(id string, b []byte) (session.Record, error) {
	h, err := decodeHead(id, b)
	if err != nil {
		return session.Record{}, err
	}
	h.record.Sealed = b[h.size:len(b):len(b)]
	return h.record, nil
}

func check(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

func appendMicros(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(micros(t)))
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
