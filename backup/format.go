package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"filippo.io/age"
)

// A file is lines of JSON: the head; for each section its columns, its rows as arrays, and
// how many they were; and the foot, with the digest of all before it.
type (
	head struct {
		Form int       `json:"codegrant_backup"`
		Made time.Time `json:"made"`
		From string    `json:"from"`
	}
	begin struct {
		Section string   `json:"section"`
		Columns []string `json:"columns"`
		Last    int64    `json:"last,omitempty"` // number that the database has given to a row
	}
	end struct {
		Rows *int64 `json:"rows"`
	}
	foot struct {
		SHA256 string `json:"sha256"`
	}
)

// form is the version of the form.
const form = 1

// maxLine is how long a line may be: more than a person or an entry can be.
const maxLine = 16 << 20

// Summary is what a file has.
type Summary struct {
	Made   time.Time        `json:"made"`
	From   string           `json:"from"` // the engine that it was made of
	Rows   map[string]int64 `json:"rows"` // by section
	SHA256 string           `json:"sha256"`

	last map[string]int64 // numbers that were given, by section
}

// Sections are the names of the parts of a file, in their order.
func Sections() (names []string) {
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

var (
	// ErrDamaged means that a file is not a backup, was cut off or was changed, or is
	// encrypted to somebody else. Nothing was written.
	ErrDamaged = errors.New("the file is not a backup, or was cut off or changed")

	// ErrNewer means that a newer release has made the file. Nothing was written.
	ErrNewer = errors.New("a newer release has made the file")
)

// encoder writes the lines.
type encoder struct {
	to     io.Writer
	digest hash.Hash
	line   bytes.Buffer
	json   *json.Encoder
}

func newEncoder(to io.Writer) *encoder {
	e := &encoder{to: to, digest: sha256.New()}
	e.json = json.NewEncoder(&e.line)
	e.json.SetEscapeHTML(false)
	return e
}

func (e *encoder) write(v any) error {
	e.line.Reset()
	if err := e.json.Encode(v); err != nil {
		return err
	}
	e.digest.Write(e.line.Bytes())
	_, err := e.to.Write(e.line.Bytes())
	return err
}

// visitor is told what a file has. A nil function is told nothing.
type visitor struct {
	begin func(s section) error
	row   func(s section, values []any, size int) error
	end   func(s section) error
}

// decode reads the lines, and returns what they were if all of them are as they were
// written.
func decode(from io.Reader, v visitor) (*Summary, error) {
	d := &decoder{from: bufio.NewReaderSize(from, 64<<10), digest: sha256.New()}
	var h head
	if err := d.object(&h); err != nil {
		return nil, err
	}
	switch {
	case h.Form == 0 || h.Made.IsZero():
		return nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	case h.Form > form:
		return nil, fmt.Errorf("%w: it has the form %d", ErrNewer, h.Form)
	}
	s := &Summary{Made: h.Made, From: h.From, Rows: make(map[string]int64), last: make(map[string]int64)}
	for next := 0; ; {
		digest := hex.EncodeToString(d.digest.Sum(nil))
		var line struct {
			begin
			foot
		}
		if err := d.object(&line); err != nil {
			return nil, err
		}
		if line.Section == "" {
			if line.SHA256 != digest {
				return nil, fmt.Errorf("%w: it has another digest than it says", ErrDamaged)
			}
			if _, err := d.from.ReadByte(); err != io.EOF {
				return nil, fmt.Errorf("%w: it has data after its end", ErrDamaged)
			}
			s.SHA256 = digest
			return s, nil
		}
		at := slices.IndexFunc(sections[next:], func(s section) bool { return s.name == line.Section })
		if at < 0 {
			return nil, fmt.Errorf("%w: this one knows no section %.40q in that place", ErrNewer, line.Section)
		}
		next += at + 1
		read, err := sections[next-1].only(line.Columns)
		if err != nil {
			return nil, err
		}
		s.last[read.name] = line.Last
		if s.Rows[read.name], err = d.rows(read, v, s); err != nil {
			return nil, err
		}
	}
}

// only is the section with the columns of a file: what it does not have, the database fills
// in.
func (s section) only(names []string) (section, error) {
	var columns []column
	for _, name := range names {
		i := slices.IndexFunc(s.columns, func(c column) bool { return c.name == name })
		if i < 0 || slices.ContainsFunc(columns, func(c column) bool { return c.name == name }) {
			return s, fmt.Errorf("%w: this one knows no column %.40q of %s in that place", ErrNewer, name, s.name)
		}
		columns = append(columns, s.columns[i])
	}
	for i, c := range s.columns {
		if missing := !slices.Contains(columns, c); i < s.key && (i >= len(columns) || columns[i] != c) || missing && !c.null {
			return s, fmt.Errorf("%w: %s has no column %s", ErrDamaged, s.name, c.name)
		}
	}
	s.columns = columns
	return s, nil
}

type decoder struct {
	from   *bufio.Reader
	digest hash.Hash
	buffer []byte
}

// line returns the next line, which is good until the one after it.
func (d *decoder) line() ([]byte, error) {
	d.buffer = d.buffer[:0]
	for {
		part, err := d.from.ReadSlice('\n')
		d.buffer = append(d.buffer, part...)
		switch {
		case err == nil:
			d.digest.Write(d.buffer)
			return d.buffer, nil
		case len(d.buffer) > maxLine:
			return nil, fmt.Errorf("%w: a line is too long", ErrDamaged)
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF:
			return nil, fmt.Errorf("%w: it ends too early", ErrDamaged)
		default:
			return nil, damaged(err)
		}
	}
}

// damaged keeps what a disk or a network says apart from what a file is.
func damaged(err error) error {
	var path interface{ Timeout() bool }
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func (d *decoder) object(v any) error {
	line, err := d.line()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%w: a line is not as it should be", ErrDamaged)
	}
	return nil
}

// rows reads those of a section, and its end.
func (d *decoder) rows(s section, v visitor, sum *Summary) (n int64, err error) {
	if v.begin != nil {
		if err := v.begin(s); err != nil {
			return 0, err
		}
	}
	var raw []json.RawMessage
	for {
		line, err := d.line()
		if err != nil {
			return 0, err
		}
		if line[0] != '[' {
			var e end
			if err := json.Unmarshal(line, &e); err != nil || e.Rows == nil || *e.Rows != n {
				return 0, fmt.Errorf("%w: %s has %d rows, and says otherwise", ErrDamaged, s.name, n)
			}
			if v.end != nil {
				err = v.end(s)
			}
			return n, err
		}
		n++
		if err := json.Unmarshal(line, &raw); err != nil || len(raw) != len(s.columns) {
			return 0, fmt.Errorf("%w: row %d of %s", ErrDamaged, n, s.name)
		}
		values := make([]any, len(raw))
		for i, c := range s.columns {
			if values[i], err = c.value(raw[i]); err != nil {
				return 0, fmt.Errorf("%w: row %d of %s: %s", ErrDamaged, n, s.name, c.name)
			}
		}
		if s.numbers {
			sum.last[s.name] = max(sum.last[s.name], values[0].(int64))
		}
		if v.row != nil {
			if err := v.row(s, values, len(line)); err != nil {
				return 0, err
			}
		}
	}
}

var errValue = errors.New("a value is not of the kind of its column")

// value is one of a row.
func (c column) value(raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		if c.null {
			return nil, nil
		}
		return nil, errValue
	}
	switch c.kind {
	case number:
		return strconv.ParseInt(string(raw), 10, 64)
	case yesNo:
		return strconv.ParseBool(string(raw))
	case object:
		if len(raw) == 0 || raw[0] != '{' {
			return nil, errValue
		}
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if c.kind == moment {
		return time.Parse(time.RFC3339Nano, s)
	}
	return s, nil
}

// sealed writes through a compressor to an encrypted file. The file is whole when the
// function that it returns has returned.
func sealed(to io.Writer, recipients []age.Recipient) (io.Writer, func() error, error) {
	if len(recipients) == 0 {
		return nil, nil, errors.New("name at least one recipient")
	}
	encrypted, err := age.Encrypt(to, recipients...)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	small, err := gzip.NewWriterLevel(encrypted, gzip.BestSpeed)
	if err != nil {
		return nil, nil, err
	}
	buffer := bufio.NewWriterSize(small, 64<<10)
	return buffer, func() error { return errors.Join(buffer.Flush(), small.Close(), encrypted.Close()) }, nil
}

// opened reads such a file.
func opened(from io.Reader, identities []age.Identity, read func(io.Reader) (*Summary, error)) (*Summary, error) {
	if len(identities) == 0 {
		return nil, errors.New("name at least one identity")
	}
	plain, err := age.Decrypt(bufio.NewReaderSize(from, 64<<10), identities...)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, fmt.Errorf("%w: it is encrypted to another key", ErrDamaged)
	}
	if err != nil {
		return nil, damaged(err)
	}
	held := bufio.NewReader(plain)
	large, err := gzip.NewReader(held)
	if err != nil {
		return nil, damaged(err)
	}
	large.Multistream(false)
	s, err := read(large)
	if err != nil {
		return nil, err
	}
	if _, err := held.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: it has data after its end", ErrDamaged)
	}
	return s, nil
}

// Verify reads the whole of a file, and returns what it has: every byte is as it was
// written.
func Verify(from io.Reader, identities ...age.Identity) (*Summary, error) {
	return opened(from, identities, func(r io.Reader) (*Summary, error) { return decode(r, visitor{}) })
}

// same reports whether two readings of a file were of the same file.
func (s *Summary) same(t *Summary) bool {
	return s.SHA256 == t.SHA256 && s.Made.Equal(t.Made) && maps.Equal(s.Rows, t.Rows)
}
