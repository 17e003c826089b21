package localpool

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// seedKeys are all keys that a seed has.
var seedKeys = keysOf(reflect.TypeFor[Seed](), make(map[string]bool))

func keysOf(t reflect.Type, known map[string]bool) map[string]bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem(), known)
	case reflect.Struct:
		for f := range t.Fields() {
			if key := f.Tag.Get("yaml"); key != "" {
				known[key] = true
				keysOf(f.Type, known)
			}
		}
	}
	return known
}

// quotedText is what a message of the YAML package quotes of a file.
var quotedText = regexp.MustCompile(`(?s)".*"`)

// seedFault says on which line and at which key a seed is wrong, and why. It quotes no
// value and no line, because they may be passwords.
func seedFault(b []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil || at.GetToken().Position == nil {
		return errors.New(quotedText.ReplaceAllString(err.Error(), "…"))
	}
	tk := at.GetToken()
	why := quotedText.ReplaceAllString(at.GetMessage(), "…")
	var unknown *yaml.UnknownFieldError
	switch {
	case errors.As(err, &unknown) && !beginsLine(b, tk): // it may be the end of a value
		why = "there is no such key; quote a value that has a comma in it"
	case errors.As(err, &unknown):
		why = fmt.Sprintf("there is no key %.64q", tk.Value)
	case errors.As(err, new(*yaml.OverflowError)):
		why = "the number is too large or too small"
	}
	if key := keyBefore(tk); key != "" {
		why = key + ": " + why
	}
	return fmt.Errorf("[%d:%d] %s", tk.Position.Line, tk.Position.Column, why)
}

// beginsLine reports whether a token is the first of its line, but for dashes of lists.
func beginsLine(b []byte, tk *token.Token) bool {
	for line := 1; line < tk.Position.Line; line++ {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	before := b[:max(min(tk.Position.Column-1, len(b)), 0)]
	return len(bytes.Trim(before, " -")) == 0
}

// keyBefore is the key on the line of a token whose value the token is in, if it is a key
// of seeds.
func keyBefore(tk *token.Token) string {
	line := tk.Position.Line
	for tk = tk.Prev; tk != nil && tk.Position != nil && tk.Position.Line == line; tk = tk.Prev {
		if tk.Type == token.MappingValueType && tk.Prev != nil {
			if key := strings.TrimSpace(tk.Prev.Value); seedKeys[key] {
				return key
			}
			return ""
		}
	}
	return ""
}
