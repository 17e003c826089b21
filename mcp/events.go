package mcp

import (
	"bytes"
	"errors"
	"io"
)

// events looks through a stream of them (HTML, "Server-sent events"): each is sent on once
// it is whole, as it came, unless it has a list of tools.
type events struct {
	to      io.Writer
	shorten func([]byte) ([]byte, error)
	held    []byte // of an event that is not whole
	checked int    // of held: no event ends before
}

var errEventTooLarge = errors.New("an event of the server's stream is too large to be looked through")

func (e *events) write(b []byte) error {
	e.held = append(e.held, b...)
	for {
		end := endOfEvent(e.held, e.checked)
		if end < 0 {
			e.checked = max(0, len(e.held)-3)
			if len(e.held) > maxAnswer {
				return errEventTooLarge
			}
			return nil
		}
		if err := e.send(e.held[:end]); err != nil {
			return err
		}
		e.held, e.checked = append(e.held[:0], e.held[end:]...), 0
	}
}

// end sends an event that lacks its last line.
func (e *events) end() error {
	if len(e.held) == 0 {
		return nil
	}
	return e.send(e.held)
}

// endOfEvent is where an empty line ends, or -1. Lines end in LF, CR or both; of a CR that
// is the last there is, nobody knows yet.
func endOfEvent(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		n := lineEnd(b, i)
		if n <= 0 {
			continue
		}
		if i+n >= len(b) {
			return -1
		}
		if m := lineEnd(b, i+n); m > 0 {
			return i + n + m
		} else if m < 0 {
			return -1
		}
	}
	return -1
}

// lineEnd is how long the end of a line is that is there: 0 where there is none, below that
// where more has to come.
func lineEnd(b []byte, i int) int {
	switch {
	case b[i] == '\n':
		return 1
	case b[i] != '\r':
		return 0
	case i+1 == len(b):
		return -1
	case b[i+1] == '\n':
		return 2
	}
	return 1
}

var listed = []byte(`"tools"`)

// send sends one event.
func (e *events) send(event []byte) error {
	if !bytes.Contains(event, listed) {
		_, err := e.to.Write(event)
		return err
	}
	var data, rest [][]byte
	for _, line := range bytes.FieldsFunc(event, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if text, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, bytes.TrimPrefix(text, []byte(" ")))
		} else {
			rest = append(rest, line)
		}
	}
	whole := bytes.Join(data, []byte("\n"))
	short, err := e.shorten(whole)
	if err != nil {
		return err
	}
	if bytes.Equal(short, whole) {
		_, err := e.to.Write(event)
		return err
	}
	var out []byte
	for _, line := range rest {
		out = append(append(out, line...), '\n')
	}
	out = append(append(append(out, "data: "...), bytes.ReplaceAll(short, []byte("\n"), []byte("\ndata: "))...), "\n\n"...)
	_, err = e.to.Write(out)
	return err
}
