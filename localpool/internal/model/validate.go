package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrShape is a request that is not of the operation's shape.
type ErrShape struct{ text string }

func (e *ErrShape) Error() string { return e.text }

// Validate checks the body of a request against the operation's input, and returns the
// faults in the words of the service, each as it stands in the message. The error is an
// *[ErrShape] for what cannot be read at all.
func Validate(operation string, body []byte) (faults []string, err error) {
	o, ok := Lookup(operation)
	if !ok {
		return nil, &ErrShape{"There is no such operation."}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var in any
	if err := d.Decode(&in); err != nil {
		return nil, &ErrShape{"The request is not a JSON object."}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &ErrShape{"Something follows the JSON object."}
	}
	members, ok := in.(map[string]any)
	if !ok {
		return nil, &ErrShape{"The request is not a JSON object."}
	}
	v := validation{}
	v.structure("", ShapeOf(o.Input), members)
	if v.wrong != "" {
		return nil, &ErrShape{fmt.Sprintf("The member %s has a value of another type.", v.wrong)}
	}
	return v.faults, nil
}

// Message is what the service says of faults: all of them in one.
func Message(faults []string) string {
	noun := "errors"
	if len(faults) == 1 {
		noun = "error"
	}
	return fmt.Sprintf("%d validation %s detected: %s", len(faults), noun, strings.Join(faults, "; "))
}

type validation struct {
	faults []string
	wrong  string // the first member of another type
	depth  int
}

// maxDepth bounds documents, which may be nested as they like; the model itself is not
// as deep.
const maxDepth = 32

func (v *validation) structure(at string, s *Shape, members map[string]any) {
	if v.depth++; v.depth > maxDepth {
		return
	}
	defer func() { v.depth-- }()
	for _, m := range s.Members {
		name, shape := m[0], ShapeOf(m[1])
		path := at + decapitalized(name)
		value, given := members[name]
		if !given || value == nil {
			if slices.Contains(s.Required, name) {
				v.fail(path, shape, "null", "Member must not be null")
			}
			continue
		}
		v.value(path, shape, value)
	}
}

// decapitalized is a name as messages have it.
func decapitalized(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}

func (v *validation) value(path string, s *Shape, value any) {
	switch s.Type {
	case "structure":
		members, ok := value.(map[string]any)
		if !ok {
			v.mistaken(path)
			return
		}
		if len(s.Members) > 0 { // a document has none
			v.structure(path+".", s, members)
		}
	case "list":
		v.list(path, s, value)
	case "map":
		v.mapping(path, s, value)
	default:
		texts, ok := constraints(s, value)
		if !ok {
			v.mistaken(path)
			return
		}
		for _, text := range texts {
			v.fail(path, s, quoted(value), text)
		}
	}
}

func (v *validation) mistaken(path string) {
	if v.wrong == "" {
		v.wrong = path
	}
}

// list checks the length of a list and what is in it. The faults of plain items are one
// fault of the list, with all values and all constraints of the items' type.
func (v *validation) list(path string, s *Shape, value any) {
	items, ok := value.([]any)
	if !ok {
		v.mistaken(path)
		return
	}
	item := ShapeOf(s.Item)
	if s.Min != nil && int64(len(items)) < *s.Min {
		v.fail(path, s, listed(items), fmt.Sprintf("Member must have length greater than or equal to %d", *s.Min))
	}
	if s.Max != nil && int64(len(items)) > *s.Max {
		v.fail(path, s, listed(items), fmt.Sprintf("Member must have length less than or equal to %d", *s.Max))
	}
	bad := false
	for i, one := range items {
		switch {
		case one == nil:
		case item.Type == "structure":
			v.value(fmt.Sprintf("%s.%d.member", path, i+1), item, one)
		default:
			texts, ok := constraints(item, one)
			if !ok {
				v.mistaken(path)
				return
			}
			bad = bad || len(texts) > 0
		}
	}
	if bad {
		v.fail(path, &Shape{Sensitive: s.Sensitive || item.Sensitive}, listed(items), "Member must satisfy constraint: ["+strings.Join(every(item), ", ")+"]")
	}
}

func (v *validation) mapping(path string, s *Shape, value any) {
	entries, ok := value.(map[string]any)
	if !ok {
		v.mistaken(path)
		return
	}
	key, item := ShapeOf(s.Key), ShapeOf(s.Item)
	if s.Max != nil && int64(len(entries)) > *s.Max {
		v.fail(path, s, "'"+written(value)+"'", fmt.Sprintf("Member must have length less than or equal to %d", *s.Max))
	}
	badKey, badValue := false, false
	for name, one := range entries {
		texts, _ := constraints(key, name)
		badKey = badKey || len(texts) > 0
		if one == nil {
			continue
		}
		if item.Type == "structure" || item.Type == "list" || item.Type == "map" {
			v.value(path+"."+name+".member", item, one)
			continue
		}
		texts, ok := constraints(item, one)
		if !ok {
			v.mistaken(path)
			return
		}
		badValue = badValue || len(texts) > 0
	}
	hidden := &Shape{Sensitive: s.Sensitive || key.Sensitive || item.Sensitive}
	if badKey {
		v.fail(path, hidden, "'"+written(value)+"'", "Map keys must satisfy constraint: ["+strings.Join(every(key), ", ")+"]")
	}
	if badValue {
		v.fail(path, hidden, "'"+written(value)+"'", "Map value must satisfy constraint: ["+strings.Join(every(item), ", ")+"]")
	}
}

// constraints returns those of a plain type that a value does not meet. ok is false for a
// value of another type.
func constraints(s *Shape, value any) (texts []string, ok bool) {
	switch s.Type {
	case "string", "blob":
		text, ok := value.(string)
		if !ok {
			return nil, false
		}
		length := int64(utf8.RuneCountInString(text))
		for _, c := range []struct {
			broken bool
			text   func() string
		}{
			{s.Min != nil && length < *s.Min, s.least},
			{s.Max != nil && length > *s.Max, s.most},
			{s.pattern != nil && !s.pattern.MatchString(text), s.matches},
			{len(s.Enum) > 0 && !slices.Contains(s.Enum, text), s.oneOf},
		} {
			if c.broken {
				texts = append(texts, c.text())
			}
		}
		return texts, true
	case "integer", "long", "double", "float":
		number, ok := value.(json.Number)
		if !ok {
			return nil, false
		}
		n, err := strconv.ParseFloat(number.String(), 64)
		if err == nil && (s.Type == "integer" || s.Type == "long") {
			_, err = strconv.ParseInt(number.String(), 10, map[string]int{"integer": 32, "long": 64}[s.Type])
		}
		if err != nil {
			return nil, false
		}
		if s.Min != nil && n < float64(*s.Min) {
			texts = append(texts, fmt.Sprintf("Member must have value greater than or equal to %d", *s.Min))
		}
		if s.Max != nil && n > float64(*s.Max) {
			texts = append(texts, fmt.Sprintf("Member must have value less than or equal to %d", *s.Max))
		}
		return texts, true
	case "boolean":
		_, ok := value.(bool)
		return nil, ok
	case "timestamp":
		switch value.(type) {
		case json.Number, string:
			return nil, true
		}
		return nil, false
	}
	return nil, true
}

func (s *Shape) least() string {
	return fmt.Sprintf("Member must have length greater than or equal to %d", *s.Min)
}
func (s *Shape) most() string {
	return fmt.Sprintf("Member must have length less than or equal to %d", *s.Max)
}
func (s *Shape) matches() string {
	return "Member must satisfy regular expression pattern: " + s.Pattern
}
func (s *Shape) oneOf() string {
	return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
}

// every is all constraints of a plain type.
func every(s *Shape) (texts []string) {
	if s.Max != nil {
		texts = append(texts, s.most())
	}
	if s.Min != nil {
		texts = append(texts, s.least())
	}
	if s.Pattern != "" {
		texts = append(texts, s.matches())
	}
	if len(s.Enum) > 0 {
		texts = append(texts, s.oneOf())
	}
	return texts
}

// fail notes a fault. Of a member that is sensitive no message shows the value, not even
// that there is none.
func (v *validation) fail(path string, s *Shape, value, constraint string) {
	if s.Sensitive {
		value = ""
	} else {
		value += " "
	}
	v.faults = append(v.faults, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: %s", value, path, constraint))
}

func quoted(value any) string { return "'" + written(value) + "'" }

func listed(items []any) string { return "'" + written(items) + "'" }

// written is a value as the service writes it: Java's own form of lists and maps.
func written(value any) string {
	switch value := value.(type) {
	case []any:
		texts := make([]string, 0, len(value))
		for _, one := range value {
			texts = append(texts, written(one))
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			names[i] = name + "=" + written(value[name])
		}
		return "{" + strings.Join(names, ", ") + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(value)
}
