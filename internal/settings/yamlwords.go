package settings

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	twoColons  = regexp.MustCompile(`^\s*(?:- +)*[\w.-]+:\s+[^'"\[{#]*: `)
	keyOfLine  = regexp.MustCompile(`^(\s*(?:- +)*)("?[\w.-]+"?):(?:\s|$)`)
	glued      = regexp.MustCompile(`^\s*(?:- +)*[\w.-]+:[^\s]`)
	quoted     = regexp.MustCompile(`(?s)".*"`)
	firstQuote = strings.NewReplacer("double-quoted text", "text in double quotes", "single-quoted text", "text in single quotes")
)

// inWords says what the parser has found in the words of the file: about lines, spaces and
// quotes, and not about tokens. It quotes no values, which may be secrets.
func inWords(message, text string, at int) string {
	lines := strings.Split(text, "\n")
	if at < 1 || at > len(lines) {
		return message
	}
	line := strings.TrimRight(lines[at-1], "\r")
	switch {
	case strings.Contains(message, "cannot start any token") && strings.Contains(line, "\t"):
		if strings.Contains(line[:len(line)-len(strings.TrimLeft(line, " \t"))], "\t") {
			return "the line is indented with a tab, which YAML does not take; indent with spaces"
		}
		return "there is a tab before the value; put a space in its place"
	case strings.Contains(message, "could not find end character"):
		return strings.Replace(firstQuote.Replace(message), "could not find end character of", "there is no closing quote of a", 1)
	case strings.Contains(message, "must be specified") && strings.Contains(message, "]"):
		return "a list in brackets has no end, or no comma between two items; it may have begun on a line above"
	case strings.Contains(message, "must be specified") && strings.Contains(message, "}"):
		return "a mapping in braces has no end, or no comma between two keys; it may have begun on a line above"
	case strings.Contains(message, "invalid header option"):
		return "after | or > the text begins on the next line; quote a value that begins with one of them"
	case strings.Contains(message, "is a reserved character"), strings.Contains(message, "unexpected directive"):
		return "a value cannot begin with this character; quote it"
	case strings.Contains(message, "unexpected key name") && glued.MatchString(line):
		return "there is no space after the colon of a key"
	case strings.Contains(message, "mapping value is not allowed") && twoColons.MatchString(line):
		return "there are two keys on the line; begin the second on a line of its own, or quote a value that has a colon in it"
	}
	if words := indents(lines, at); words != "" {
		return words
	}
	return quoted.ReplaceAllString(message, "…")
}

// level is where lines that belong together begin.
type level struct {
	spaces, line int
	item         bool // dashes of a list, and no keys
}

// indents says which line begins where no line may, if it is that.
func indents(lines []string, at int) string {
	var open []level
	hasValue := false // the last key has a value on its own line
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		rest := strings.TrimLeft(line, " ")
		if rest == "" || rest[0] == '#' {
			continue
		}
		n := len(line) - len(rest)
		top := level{spaces: -1}
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if n > top.spaces && hasValue && i >= at-1 {
			return fmt.Sprintf("line %d is indented by %s and belongs to a key that has its value already; begin it where line %d begins, after %s",
				i+1, spaces(n), top.line, spaces(top.spaces))
		}
		popped := open
		for len(open) > 0 && open[len(open)-1].spaces > n {
			open = open[:len(open)-1]
		}
		fits := n > top.spaces || len(open) > 0 && open[len(open)-1].spaces == n
		item := strings.HasPrefix(rest, "- ")
		if fits && n <= top.spaces && open[len(open)-1].item && !item {
			fits = false
		}
		if !fits && i >= at-1 {
			var begin []string
			for _, l := range popped {
				if !l.item {
					begin = append(begin, fmt.Sprintf("%s as line %d", spaces(l.spaces), l.line))
				}
			}
			return fmt.Sprintf("line %d is indented by %s, which fits no line above it; lines that belong together begin at one column: %s", i+1, spaces(n), strings.Join(begin, ", "))
		}
		if i > at {
			return ""
		}
		for item { // - a: b begins a list, and a mapping in it
			if n > top.spaces || len(open) == 0 {
				open = append(open, level{n, i + 1, true})
				top = open[len(open)-1]
			}
			inner := strings.TrimLeft(rest[1:], " ")
			n += len(rest) - len(inner)
			rest, item = inner, strings.HasPrefix(inner, "- ")
		}
		if m := keyOfLine.FindStringSubmatch(rest); m != nil {
			if len(open) == 0 || n > open[len(open)-1].spaces {
				open = append(open, level{n, i + 1, false})
			}
			value := strings.TrimSpace(rest[len(m[0]):])
			hasValue = value != "" && value[0] != '#' && !strings.ContainsAny(value[:1], "|>&[{\"'")
		} else {
			hasValue = false
		}
	}
	return ""
}

func spaces(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}
