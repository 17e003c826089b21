package cognito

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that does not print: a client secret or a token. Every verb
// of fmt, JSON and slog show a placeholder in its place. They cannot where they do
// not ask it: fmt in unexported fields, encoding/json in the keys of maps.
type Secret string

const redacted = "[redacted]"

// Reveal returns the string itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return redacted
}

// String implements [fmt.Stringer].
func (s Secret) String() string { return s.shown() }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.shown() }

// Format implements [fmt.Formatter] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.shown()) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.shown()) }
