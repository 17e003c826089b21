package webauthn

import (
	"encoding/binary"
	"errors"
)

// Of CBOR (RFC 8949) this reads what authenticators write (WebAuthn, section 6.5): maps,
// lists, texts, bytes and integers of definite length.

var errCBOR = errors.New("not the CBOR of an authenticator")

const maxCBORDepth = 8

// readCBOR reads one value off the front of b.
func readCBOR(b []byte, depth int) (value any, rest []byte, err error) {
	if len(b) == 0 || depth > maxCBORDepth {
		return nil, nil, errCBOR
	}
	major, n, rest, err := head(b)
	if err != nil {
		return nil, nil, err
	}
	switch major {
	case 0:
		return int64(n), rest, nil
	case 1:
		return -1 - int64(n), rest, nil
	case 2, 3:
		if n > uint64(len(rest)) {
			return nil, nil, errCBOR
		}
		if major == 3 {
			return string(rest[:n]), rest[n:], nil
		}
		return rest[:n], rest[n:], nil
	case 4:
		if n > uint64(len(rest)) {
			return nil, nil, errCBOR
		}
		list := make([]any, 0, n)
		for range n {
			if value, rest, err = readCBOR(rest, depth+1); err != nil {
				return nil, nil, err
			}
			list = append(list, value)
		}
		return list, rest, nil
	case 5:
		return readMap(rest, n, depth)
	case 7:
		return map[uint64]any{20: false, 21: true}[n], rest, nil
	}
	return nil, nil, errCBOR
}

func readMap(b []byte, n uint64, depth int) (any, []byte, error) {
	if n > uint64(len(b))/2 {
		return nil, nil, errCBOR
	}
	m := make(map[any]any, n)
	for range n {
		key, rest, err := readCBOR(b, depth+1)
		if err != nil {
			return nil, nil, err
		}
		switch key.(type) {
		case int64, string:
		default:
			return nil, nil, errCBOR
		}
		if m[key], b, err = readCBOR(rest, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

// head reads the type of a value and its number.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	major, info := b[0]>>5, b[0]&0x1f
	b = b[1:]
	size := map[byte]int{24: 1, 25: 2, 26: 4, 27: 8}[info]
	switch {
	case info < 24:
		return major, uint64(info), b, nil
	case size == 0 || len(b) < size:
		return 0, 0, nil, errCBOR
	}
	var eight [8]byte
	copy(eight[8-size:], b[:size])
	if n = binary.BigEndian.Uint64(eight[:]); n > 1<<62 {
		return 0, 0, nil, errCBOR
	}
	return major, n, b[size:], nil
}
