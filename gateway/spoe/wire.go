package spoe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Types of frames. HAProxy's are below 100.
const (
	frameHello           = 1
	frameDisconnect      = 2
	frameNotify          = 3
	frameAgentHello      = 101
	frameAgentDisconnect = 102
	frameAck             = 103
)

const flagFin = 1 // the payload ends in this frame

// code says to HAProxy why a connection ends.
type code uint32

const (
	codeNormal      code = 0
	codeIO          code = 1
	codeTimeout     code = 2
	codeTooBig      code = 3
	codeInvalid     code = 4
	codeNoVersion   code = 5
	codeNoFrameSize code = 6
	codeNoCaps      code = 7
	codeBadVersion  code = 8
	codeBadSize     code = 9
	codeFragmented  code = 10
	codeUnknown     code = 99
)

// protocolError is why a connection cannot go on.
type protocolError struct {
	code code
	text string
}

func (e *protocolError) Error() string { return e.text }

func protocolFault(c code, format string, args ...any) error {
	return &protocolError{c, fmt.Sprintf(format, args...)}
}

var errShort = protocolFault(codeInvalid, "a frame ends before what it says it holds")

const (
	minFrame    = 256       // that peers may agree on
	largestKV   = 64        // items of a HELLO
	largestName = 64        // of an item or argument
	leastFrame  = 1 + 4 + 2 // type, flags, two identifiers
)

// frame is one that was read. Its payload is its own.
type frame struct {
	kind       byte
	stream, id uint64
	payload    []byte
}

// readFrame reads one frame of at most limit bytes.
func readFrame(r io.Reader, limit int) (*frame, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > uint32(limit) {
		return nil, protocolFault(codeTooBig, "a frame of %d bytes is beyond the %d that were agreed on", n, limit)
	}
	if n < leastFrame {
		return nil, protocolFault(codeInvalid, "a frame of %d bytes is not valid", n)
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(r, content); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return parseFrame(content)
}

// parseFrame takes the content of a frame apart.
func parseFrame(content []byte) (*frame, error) {
	if len(content) < leastFrame {
		return nil, errShort
	}
	f := &frame{kind: content[0]}
	if f.kind != frameHello && f.kind != frameDisconnect && f.kind != frameNotify && f.kind != 0 {
		return nil, protocolFault(codeInvalid, "a frame of type %d does not belong to the protocol", f.kind)
	}
	if flags := binary.BigEndian.Uint32(content[1:5]); f.kind == 0 || flags != flagFin {
		return nil, protocolFault(codeFragmented, "a frame of type %d with flags %#x is fragmented, which was not agreed on", f.kind, flags)
	}
	in := input(content[5:])
	var err error
	if f.stream, err = in.varint(); err == nil {
		f.id, err = in.varint()
	}
	f.payload = in
	return f, err
}

// input is what has not been read yet.
type input []byte

// varint reads a number as HAProxy's peers write it. Each has one form alone.
func (in *input) varint() (uint64, error) {
	b := *in
	if len(b) == 0 {
		return 0, errShort
	}
	n := uint64(b[0])
	if n < 240 {
		*in = b[1:]
		return n, nil
	}
	for i, shift := 1, 4; ; i, shift = i+1, shift+7 {
		if i >= len(b) {
			return 0, errShort
		}
		more := uint64(b[i]) << shift
		if shift > 60 || more>>shift != uint64(b[i]) || n+more < n {
			return 0, protocolFault(codeInvalid, "a number is beyond 64 bits")
		}
		if n += more; b[i] < 128 {
			*in = b[i+1:]
			return n, nil
		}
	}
}

// bytes reads a length and as many bytes, which stay part of the frame.
func (in *input) bytes() ([]byte, error) {
	n, err := in.varint()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(*in)) {
		return nil, errShort
	}
	read := (*in)[:n:n]
	*in = (*in)[n:]
	return read, nil
}

// name reads the name of an item, an argument or a message.
func (in *input) name() (string, error) {
	b, err := in.bytes()
	if err != nil {
		return "", err
	}
	if len(b) == 0 || len(b) > largestName {
		return "", protocolFault(codeInvalid, "a name of %d bytes is not valid", len(b))
	}
	return string(b), nil
}

// Types of values.
const (
	typeNull   = 0
	typeBool   = 1
	typeInt32  = 2
	typeUint32 = 3
	typeInt64  = 4
	typeUint64 = 5
	typeIPv4   = 6
	typeIPv6   = 7
	typeString = 8
	typeBinary = 9
)

// value is typed data.
type value struct {
	kind   byte
	number uint64 // also 0 and 1, for booleans
	bytes  []byte // of strings, binaries and addresses
}

func (in *input) value() (v value, err error) {
	if len(*in) == 0 {
		return v, errShort
	}
	first := (*in)[0]
	*in = (*in)[1:]
	v.kind = first & 0x0f
	if flags := first >> 4; flags > 1 || flags == 1 && v.kind != typeBool {
		return v, protocolFault(codeInvalid, "a value of type %d has flags %#x", v.kind, flags)
	}
	switch v.kind {
	case typeNull:
	case typeBool:
		v.number = uint64(first >> 4)
	case typeInt32, typeUint32, typeInt64, typeUint64:
		v.number, err = in.varint()
	case typeIPv4:
		v.bytes, err = in.take(4)
	case typeIPv6:
		v.bytes, err = in.take(16)
	case typeString, typeBinary:
		v.bytes, err = in.bytes()
	default:
		err = protocolFault(codeInvalid, "a value of type %d is not valid", v.kind)
	}
	return v, err
}

func (in *input) take(n int) ([]byte, error) {
	if len(*in) < n {
		return nil, errShort
	}
	read := (*in)[:n:n]
	*in = (*in)[n:]
	return read, nil
}

// output is a frame that is being written, its length first.
type output []byte

func newOutput(kind byte, stream, id uint64) output {
	out := output{0, 0, 0, 0, kind, 0, 0, 0, flagFin}
	out.varint(stream)
	out.varint(id)
	return out
}

// size is that of the frame, without its length.
func (out output) size() int { return len(out) - 4 }

// sealed is the frame with its length.
func (out output) sealed() []byte {
	binary.BigEndian.PutUint32(out, uint32(out.size()))
	return out
}

func (out *output) varint(n uint64) {
	if n < 240 {
		*out = append(*out, byte(n))
		return
	}
	*out = append(*out, byte(n)|0xf0)
	for n = (n - 240) >> 4; n >= 128; n = (n - 128) >> 7 {
		*out = append(*out, byte(n)|0x80)
	}
	*out = append(*out, byte(n))
}

func (out *output) bytes(s string) {
	out.varint(uint64(len(s)))
	*out = append(*out, s...)
}

// item writes one of a list of keys and values; a value is a string or a number.
func (out *output) item(name string, v any) {
	out.bytes(name)
	out.value(v)
}

func (out *output) value(v any) {
	switch v := v.(type) {
	case string:
		*out = append(*out, typeString)
		out.bytes(v)
	case uint32:
		*out = append(*out, typeUint32)
		out.varint(uint64(v))
	default:
		panic(fmt.Sprintf("spoe: no value of type %T", v)) // ours are of these two
	}
}

// set writes the action that sets a variable of the transaction.
func (out *output) set(name string, v any) {
	const setVar, arguments, ofTransaction = 1, 3, 2
	*out = append(*out, setVar, arguments, ofTransaction)
	out.bytes(name)
	out.value(v)
}
