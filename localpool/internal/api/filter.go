package api

import (
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// parseFilter reads the filter of ListUsers: an attribute, = or ^=, and a value in
// quotation marks, with those inside it after a backslash. The attribute may be in
// quotation marks too.
func parseFilter(text string) (state.Filter, error) {
	bad := func() (state.Filter, error) { return state.Filter{}, invalid("Error while parsing filter.") }
	rest := strings.TrimSpace(text)
	if rest == "" {
		return state.Filter{}, nil
	}
	var f state.Filter
	ok := true
	if strings.HasPrefix(rest, `"`) {
		f.Attribute, rest, ok = quoted(rest)
	} else if at := strings.IndexAny(rest, "^= \t"); at > 0 {
		f.Attribute, rest = rest[:at], rest[at:]
	} else {
		ok = false
	}
	if !ok {
		return bad()
	}
	rest = strings.TrimLeft(rest, " \t")
	rest, f.Prefix = strings.CutPrefix(rest, "^")
	if rest, ok = strings.CutPrefix(rest, "="); !ok {
		return bad()
	}
	f.Value, rest, ok = quoted(strings.TrimLeft(rest, " \t"))
	if !ok || rest != "" {
		return bad()
	}
	if !slices.Contains(state.Searchable, f.Attribute) {
		return state.Filter{}, invalid("Invalid search attribute: %s", f.Attribute)
	}
	return f, nil
}

// quoted takes a value in quotation marks off the front of s.
func quoted(s string) (value, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
