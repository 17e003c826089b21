package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
)

// maxFile bounds the file: two secrets of 64 characters (AWS, API reference,
// AddUserPoolClientSecret) and room to spare.
const maxFile = 4 << 10

// File is a source that reads a file each time: calls of the token endpoint are rare.
// Its lines are secrets, the one to send first at the top; an app client has two at
// most. While the file cannot be read or is empty, such as in the moment in which it
// is replaced, what was read last counts. It is safe for concurrent use.
type File struct {
	path string

	mu   sync.Mutex
	last []string
}

// NewFile reads the file for the first time. The error says what is wrong with it.
func NewFile(path string) (*File, error) {
	f := &File{path: path}
	read, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("read client secrets: %w", err)
	}
	f.last = read
	return f, nil
}

// Secrets returns what the file holds now.
func (f *File) Secrets(context.Context, bool) ([]string, error) {
	read, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.last = read
	}
	return f.last, nil
}

func (f *File) read() ([]string, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", f.path, maxFile)
	}
	read, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s %w", f.path, err)
	}
	return read, nil
}

// parse reads one secret from each line. Its errors hold nothing of the content.
func parse(content []byte) ([]string, error) {
	var secrets []string
	for line := range bytes.Lines(content) {
		secret := strings.TrimSpace(string(line))
		switch {
		case secret == "":
		case strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }):
			return nil, fmt.Errorf("has a line that is not a secret: line %d has white space, or bytes that are not text", len(secrets)+1)
		default:
			secrets = append(secrets, secret)
		}
	}
	switch {
	case len(secrets) == 0:
		return nil, errors.New("is empty; write the client secret into it")
	case len(secrets) > 2:
		return nil, fmt.Errorf("has %d lines; an app client has two secrets at most", len(secrets))
	}
	return secrets, nil
}
