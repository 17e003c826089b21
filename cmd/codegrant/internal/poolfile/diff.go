package poolfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Difference is one setting that is to be otherwise.
type Difference struct {
	What  string `json:"what"`           // pool, client …
	Name  string `json:"name,omitempty"` // of the client …
	Field string `json:"field,omitempty"`
	Have  any    `json:"have,omitempty"`
	Want  any    `json:"want,omitempty"`
	Kept  string `json:"kept,omitempty"` // why it is not changed
}

func (d Difference) String() string {
	where := d.What
	if d.Name != "" {
		where += " " + d.Name
	}
	if d.Field != "" {
		where += ": " + d.Field
	}
	if d.Kept == unsaid {
		return fmt.Sprintf("%s: %s (only the pool has it: %s)", where, short(d.Have), unsaid)
	}
	text := fmt.Sprintf("%s: %s -> %s", where, short(d.Have), short(d.Want))
	if d.Kept != "" {
		text += " (not changed: " + d.Kept + ")"
	}
	return text
}

// short leaves room on the line for what follows.
func short(v any) string {
	text := []rune(words(v))
	if len(text) <= 80 {
		return string(text)
	}
	return string(text[:80]) + "…"
}

func words(v any) string {
	if v == nil {
		return "nothing"
	}
	object, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(object)
}

// fixed are settings that a pool has from the day on which it was made.
var fixed = map[string][]string{
	"pool":              {"UsernameAttributes", "AliasAttributes", "UsernameConfiguration"},
	"client":            {"GenerateSecret"},
	"identity provider": {"ProviderType"},
}

const (
	onlyThere = "only the pool has it, and nothing is removed"
	unsaid    = "the file does not say it" // a setting of something that the file has
)

// Compare says what of a pool is otherwise than a file has it. What the file does not say
// about a thing stays, and is a difference all the same: somebody may have added it.
func Compare(have, want *File) (all []Difference) {
	want.things(func(what, name string, w settings) {
		if len(w) == 0 && name == "" {
			return
		}
		h := have.thing(what, name)
		if h == nil {
			all = append(all, Difference{What: what, Name: name, Want: w})
			return
		}
		found := fields(what, name, "", h, w)
		for i, d := range found {
			switch {
			case d.Kept != "":
			case what == "domain":
				found[i].Kept = "a domain is replaced by hand"
			case slices.Contains(fixed[what], whole(d.Field)):
				found[i].Kept = "it is fixed when it is created"
			}
		}
		all = append(all, found...)
	})
	have.things(func(what, name string, h settings) {
		if what != "pool" && len(h)+len(name) > 0 && want.thing(what, name) == nil {
			all = append(all, Difference{What: what, Name: name, Have: h, Kept: onlyThere})
		}
	})
	return all
}

// whole is the setting that a field is in: A of A.B.
func whole(field string) string {
	first, _, _ := strings.Cut(field, ".")
	return first
}

// fields compares what the second says, and names what only the first has.
func fields(what, name, prefix string, have, want settings) (all []Difference) {
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if what == "pool" && prefix == "" && field == "SchemaAttributes" {
			all = append(all, schema(have[field], want[field])...)
			continue
		}
		h, w := have[field], want[field]
		inner, isMap := w.(settings)
		if before, ok := h.(settings); isMap && (ok || h == nil) {
			all = append(all, fields(what, name, prefix+field+".", before, inner)...)
			continue
		}
		// A pool leaves out empty values that a file has.
		if !(empty(h) && empty(w)) && words(ordered(h)) != words(ordered(w)) {
			all = append(all, Difference{What: what, Name: name, Field: prefix + field, Have: h, Want: w})
		}
	}
	for _, field := range slices.Sorted(maps.Keys(have)) {
		if _, said := want[field]; !said {
			all = append(all, Difference{What: what, Name: name, Field: prefix + field, Have: have[field], Kept: unsaid})
		}
	}
	return all
}

// ordered is a list in an order of its own, where the API promises none.
func ordered(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return words(list[i]) < words(list[j]) })
	return list
}

// schema compares attributes: those that a pool lacks can be added, and nothing else.
func schema(have, want any) (all []Difference) {
	byName := func(v any) map[string]any {
		m := make(map[string]any)
		list, _ := v.([]any)
		for _, a := range list {
			if a, ok := a.(settings); ok {
				m[fmt.Sprint(a["Name"])] = a
			}
		}
		return m
	}
	h, w := byName(have), byName(want)
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if words(h[name]) == words(w[name]) {
			continue
		}
		d := Difference{What: "attribute", Name: name, Have: h[name], Want: w[name]}
		if h[name] != nil {
			d.Kept = "it is fixed when it is created"
		}
		all = append(all, d)
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if w[name] == nil {
			all = append(all, Difference{What: "attribute", Name: name, Have: h[name], Kept: unsaid})
		}
	}
	return all
}

// merged is what a pool is to be set to: a call that changes one setting has to say all.
func merged(have, want settings) settings {
	all := maps.Clone(have)
	if all == nil {
		all = make(settings)
	}
	for name, w := range want {
		h, isMap := all[name].(settings)
		if inner, ok := w.(settings); ok && isMap {
			w = merged(h, inner)
		}
		all[name] = w
	}
	return all
}
