package settings

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// label is a key as faults show it.
func label(name string) string {
	if labelPattern.MatchString(name) {
		return name
	}
	return strconv.Quote(bounded(name))
}

var labelPattern = regexp.MustCompile(`^[\w.-]{1,60}$`)

// meant is the key that may have been meant, if there is one.
func meant(name string, known []string) (best string) {
	distance := 3
	for _, k := range known {
		if n := edits(name, k); n < distance {
			best, distance = k, n
		}
	}
	return best
}

// unknown says which key may have been meant.
func unknown(name string, known []string) error {
	if best := meant(name, known); best != "" {
		return fmt.Errorf("there is no such key; did you mean %s?", best)
	}
	if len(known) > 20 {
		return errors.New("there is no such key")
	}
	known = slices.Sorted(slices.Values(known))
	return fmt.Errorf("there is no such key; there are %s", strings.Join(known, ", "))
}

// edits counts the changes that make one word of another (Levenshtein).
func edits(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(previous+cost, above+1, row[j]+1)
			previous = above
		}
	}
	return row[len(b)]
}

// secretKeys are those whose values are secrets, or may have one in them.
var secretKeys = []string{"client_secret", "second_client_secret", "secret", "key", "keys", "private_key", "url", "headers"}

// mayEndSecret reports whether what stands in the place of a key may be the end of a secret:
// {client_secret: ab,cd} has a key cd.
func mayEndSecret(node ast.Node, name string, known []string) bool {
	m, ok := node.(*ast.MappingNode)
	if !ok || !m.IsFlowStyle || meant(name, known) != "" {
		return false
	}
	for _, v := range m.Values { // the key of a secret may be wrong here, too
		known = append(slices.Clip(known), v.Key.GetToken().Value)
	}
	return slices.ContainsFunc(secretKeys, func(k string) bool { return slices.Contains(known, k) })
}
