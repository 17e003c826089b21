package settings

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	usualPattern    = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
)

// expand puts environment variables into a scalar. Each fault is returned; what is
// wrong with the file is told by the names in it, never by a value.
func expand(text string, lookup func(string) (string, bool)) (string, []error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	whole := text
	var b strings.Builder
	var faults []error
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			b.WriteString(text)
			return b.String(), faults
		}
		if start > 0 && text[start-1] == '$' {
			b.WriteString(text[:start-1] + "${")
			text = text[start+2:]
			continue
		}
		b.WriteString(text[:start])
		end := strings.IndexByte(text[start:], '}')
		if end < 0 {
			return b.String(), append(faults, errors.New("a ${ has no end: write ${NAME}, and $${ for a plain ${"))
		}
		inner := text[start+2 : start+end]
		text = text[start+end+1:]
		name, fallback, has := strings.Cut(inner, ":-")
		if !variablePattern.MatchString(name) {
			faults = append(faults, errors.New("a ${…} is not of the form ${NAME} or ${NAME:-default}; write $${ for a plain ${"))
			continue
		}
		value, set := lookup(name)
		switch {
		case has && value == "":
			b.WriteString(fallback)
		case set:
			b.WriteString(value)
		case whole != "${"+inner+"}" && !usualPattern.MatchString(name): // a secret may have a ${…} in it
			faults = append(faults, errors.New("the environment variable of a ${…} is not set; set it, or write ${NAME:-default}, and $${ for a plain ${"))
		default:
			faults = append(faults, fmt.Errorf("the environment variable %s is not set; set it, or write ${%s:-default}", name, name))
		}
	}
}

// bounded keeps what a fault quotes readable.
func bounded(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
