package settings

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in a configuration.
type Fault struct {
	File string
	Line int    // from 1; 0: the file as a whole
	Key  string // such as routes[2].path; empty: no one key
	Err  error
}

func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	// One fault is one line, whatever it was made of.
	b.WriteString(strings.Join(strings.Fields(f.Err.Error()), " "))
	return b.String()
}

func (f Fault) Unwrap() error { return f.Err }

// Error is every fault of a configuration, in the order of its lines.
type Error struct {
	Faults []Fault
	// Files are those that were read, or would have been: a change to one of them
	// may fix the configuration.
	Files []string
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

func (e *Error) Unwrap() []error {
	all := make([]error, len(e.Faults))
	for i, f := range e.Faults {
		all[i] = f
	}
	return all
}

// sortFaults brings faults into the order in which a person fixes them, and leaves
// each out that is there twice.
func sortFaults(main string, faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(other(a.File, main), other(b.File, main)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.CompactFunc(faults, func(a, b Fault) bool { return a.Error() == b.Error() })
}

func other(file, main string) int {
	if file == main {
		return 0
	}
	return 1
}

// leaves takes errors apart that were joined, however deep, and gives each the words
// that stood before all of them.
func leaves(err error) []error { return leavesOf("", err) }

func leavesOf(before string, err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		if joined := e.Unwrap(); errors.Join(joined...).Error() == err.Error() {
			var all []error
			for _, inner := range joined {
				all = append(all, leavesOf(before, inner)...)
			}
			return all
		}
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		if inner == nil {
			break
		}
		if words, ok := strings.CutSuffix(err.Error(), inner.Error()); ok && strings.Contains(inner.Error(), "\n") {
			return leavesOf(before+words, inner)
		}
	}
	if before == "" {
		return []error{err}
	}
	return []error{fmt.Errorf("%s%w", before, err)}
}
