package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
)

//go:embed facts.json
var facts []byte

// Shape is a type of the model.
type Shape struct {
	Type      string      `json:"t"` // structure, list, map, string, integer, long, boolean, timestamp, blob, double
	Min       *int64      `json:"min"`
	Max       *int64      `json:"max"`
	Pattern   string      `json:"p"`
	Enum      []string    `json:"e"`
	Sensitive bool        `json:"s"`
	Required  []string    `json:"r"`
	Members   [][2]string `json:"m"` // of a structure: name and shape, in the model's order
	Item      string      `json:"i"` // of a list, and the value of a map
	Key       string      `json:"k"`
	pattern   *regexp.Regexp
}

// Operation is an operation of the API.
type Operation struct {
	Input  string   `json:"in"`
	Output string   `json:"out"`
	Errors []string `json:"errors"`
	Open   bool     `json:"open"` // it takes no signature
}

type table struct {
	Operations map[string]Operation `json:"operations"`
	Shapes     map[string]*Shape    `json:"shapes"`
}

// read decodes the table once, when it is first asked.
var read = sync.OnceValue(func() table {
	var t table
	if err := json.Unmarshal(facts, &t); err != nil {
		panic(fmt.Sprintf("localpool: facts of the model: %v", err)) // it is compiled in
	}
	t.correct()
	for name, s := range t.Shapes {
		if s.Pattern == "" {
			continue
		}
		expression := s.Pattern
		if other, ok := otherwise[expression]; ok {
			expression = other
		}
		compiled, err := regexp.Compile(`^(?:` + expression + `)$`)
		if err != nil {
			panic(fmt.Sprintf("localpool: pattern of %s: %v", name, err))
		}
		s.pattern = compiled
	}
	return t
})

// Operations returns the names of all operations, in order.
func Operations() []string { return slices.Sorted(maps.Keys(read().Operations)) }

// Lookup returns an operation.
func Lookup(operation string) (Operation, bool) {
	o, ok := read().Operations[operation]
	return o, ok
}

// ShapeOf returns a type; nil where the model has none of the name.
func ShapeOf(name string) *Shape { return read().Shapes[name] }

// Members returns the names of the members of a structure, in the model's order.
func Members(name string) []string {
	s := read().Shapes[name]
	if s == nil {
		return nil
	}
	names := make([]string, 0, len(s.Members))
	for _, m := range s.Members {
		names = append(names, m[0])
	}
	return names
}
