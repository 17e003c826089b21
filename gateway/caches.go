package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// settle makes one of what the gateway and the upstream say about caches. An answer with a
// cookie of ours is stored by nobody. One that was given to somebody, or that somebody had
// to be signed in for, is stored by the browser alone, if the application lets it. Of
// others, the application knows best.
func (w *recorder) settle(h http.Header) {
	if len(h["Vary"]) > 1 {
		h["Vary"] = []string{oneList(h["Vary"])}
	}
	cookies := w.ownOf("Set-Cookie") > 0
	theirs := h["Cache-Control"]
	theirs = theirs[min(w.ownOf("Cache-Control"), len(theirs)):]
	switch {
	case cookies:
		h["Cache-Control"] = noStore
		delete(h, "Expires")
	case w.private && len(theirs) > 0:
		h["Cache-Control"] = []string{private(theirs)}
	case w.private && w.ownOf("Cache-Control") == 0: // on a public route
		h["Cache-Control"] = []string{"private"}
	case len(theirs) > 1:
		h["Cache-Control"] = []string{oneList(theirs)}
	}
	if cookies || w.private {
		for _, name := range controlsOfSharedCaches {
			delete(h, name)
		}
	}
}

// openToCaches takes back, before a public answer, that nobody may store it, unless a
// cookie of ours goes along.
func openToCaches(h http.Header) {
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Cache-Control")
	}
}

var noStore = []string{"no-store"}

// controlsOfSharedCaches go before Cache-Control where a cache knows them.
var controlsOfSharedCaches = []string{"X-Accel-Expires", "Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Edge-Control", "X-Cache-Control"}

// ownOf is how many lines of a header were there before the upstream was asked.
func (w *recorder) ownOf(name string) int {
	for _, one := range w.own {
		if one.name == name {
			return len(one.values)
		}
	}
	return 0
}

// private is what an application says of its answer, less what would have shared caches
// keep it.
func private(lines []string) string {
	var kept []string
	closed := false
	for _, line := range lines {
		for _, directive := range directives(line) {
			directive = strings.TrimSpace(directive)
			name, _, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "public", "s-maxage", "":
				continue
			case "private", "no-store":
				closed = closed || !strings.Contains(directive, "=") // with fields, it is of these alone
			}
			kept = append(kept, directive)
		}
	}
	if !closed {
		kept = append([]string{"private"}, kept...)
	}
	return strings.Join(kept, ", ")
}

// directives are the parts of a list, in which commas within quotes do not count.
func directives(line string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

// oneList makes one line of several, with each item once.
func oneList(lines []string) string {
	var items []string
	for _, line := range lines {
		for _, item := range directives(line) {
			item = strings.TrimSpace(item)
			if item != "" && !slices.ContainsFunc(items, func(is string) bool { return strings.EqualFold(is, item) }) {
				items = append(items, item)
			}
		}
	}
	if slices.Contains(items, "*") {
		return "*"
	}
	return strings.Join(items, ", ")
}
