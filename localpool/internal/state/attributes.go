package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SchemaAttribute is an attribute that users of a pool may have, as the JSON API writes
// it.
type SchemaAttribute struct {
	Name                       string
	AttributeDataType          string
	DeveloperOnlyAttribute     bool
	Mutable                    bool
	Required                   bool
	NumberAttributeConstraints *NumberConstraints `json:",omitempty"`
	StringAttributeConstraints *StringConstraints `json:",omitempty"`
}

// NumberConstraints bound a number; an empty one is none.
type NumberConstraints struct {
	MinValue string `json:",omitempty"`
	MaxValue string `json:",omitempty"`
}

// StringConstraints bound the length of a text; an empty one is none.
type StringConstraints struct {
	MinLength string `json:",omitempty"`
	MaxLength string `json:",omitempty"`
}

// NewAttribute is one of the Schema of a request: what is nil was not given.
type NewAttribute struct {
	Name                       string
	AttributeDataType          string
	DeveloperOnlyAttribute     *bool
	Mutable                    *bool
	Required                   *bool
	NumberAttributeConstraints *NumberConstraints
	StringAttributeConstraints *StringConstraints
}

func is(b *bool) bool { return b != nil && *b }

// Schema returns the attributes of a pool: those that every pool has, as they were given
// or as they are, and its own.
func Schema(own []SchemaAttribute) []SchemaAttribute {
	list := make([]SchemaAttribute, 0, len(StandardAttributes)+len(own))
	for _, name := range StandardAttributes {
		if i := slices.IndexFunc(own, func(a SchemaAttribute) bool { return a.Name == name }); i >= 0 {
			list = append(list, own[i])
			continue
		}
		list = append(list, standard(name))
	}
	for _, a := range own {
		if !slices.Contains(StandardAttributes, a.Name) {
			list = append(list, a)
		}
	}
	return list
}

func standard(name string) SchemaAttribute {
	a := SchemaAttribute{Name: name, AttributeDataType: "String", Mutable: name != "sub", Required: name == "sub"}
	switch name {
	case "email_verified", "phone_number_verified":
		a.AttributeDataType = "Boolean"
	case "updated_at":
		a.AttributeDataType, a.NumberAttributeConstraints = "Number", &NumberConstraints{MinValue: "0"}
	case "sub":
		a.StringAttributeConstraints = &StringConstraints{"1", "2048"}
	case "birthdate":
		a.StringAttributeConstraints = &StringConstraints{"10", "10"}
	default:
		a.StringAttributeConstraints = &StringConstraints{"0", "2048"}
	}
	return a
}

// Attribute makes an attribute of a pool of what was given; custom says that it is one of
// AddCustomAttributes, where no standard one may be.
func (n NewAttribute) Attribute(custom bool) (SchemaAttribute, error) {
	no := func(format string, args ...any) (SchemaAttribute, error) {
		return SchemaAttribute{}, refuse(InvalidParameter, fmt.Sprintf(format, args...))
	}
	if !custom && slices.Contains(StandardAttributes, n.Name) {
		a := standard(n.Name)
		if n.AttributeDataType != "" && n.AttributeDataType != a.AttributeDataType || is(n.DeveloperOnlyAttribute) {
			return no("You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute %s", n.Name)
		}
		if n.Mutable != nil {
			a.Mutable = *n.Mutable
		}
		a.Required = is(n.Required) || n.Name == "sub"
		if c := n.NumberAttributeConstraints; c != nil && a.AttributeDataType == "Number" {
			a.NumberAttributeConstraints = c
		}
		if c := n.StringAttributeConstraints; c != nil && a.AttributeDataType == "String" {
			a.StringAttributeConstraints = c
		}
		return a, a.bounds()
	}
	switch {
	case n.Name == "":
		return no("Attribute name must not be empty.")
	case n.AttributeDataType == "":
		return no("Invalid AttributeDataType input, consider using the provided AttributeDataType enum.")
	case is(n.Required):
		return no("Required custom attributes are not supported currently.")
	}
	a := SchemaAttribute{
		Name: "custom:" + n.Name, AttributeDataType: n.AttributeDataType, DeveloperOnlyAttribute: is(n.DeveloperOnlyAttribute),
		Mutable: n.Mutable == nil || *n.Mutable,
	}
	if a.DeveloperOnlyAttribute {
		a.Name = "dev:" + a.Name
	}
	switch a.AttributeDataType {
	case "String":
		if a.StringAttributeConstraints = n.StringAttributeConstraints; a.StringAttributeConstraints == nil {
			a.StringAttributeConstraints = &StringConstraints{}
		}
	case "Number":
		if a.NumberAttributeConstraints = n.NumberAttributeConstraints; a.NumberAttributeConstraints == nil {
			a.NumberAttributeConstraints = &NumberConstraints{}
		}
	}
	return a, a.bounds()
}

// bounds checks the bounds of an attribute.
func (a SchemaAttribute) bounds() error {
	no := func(what string) error {
		return refuse(InvalidParameter, fmt.Sprintf("Invalid %s for schema attribute %s", what, a.Name))
	}
	less := func(what string) error {
		return refuse(InvalidParameter, fmt.Sprintf("user.%s: Max %s cannot be less than min %s.", a.Name, what, what))
	}
	if c := a.StringAttributeConstraints; c != nil {
		least, ok1 := bound(c.MinLength, 0)
		most, ok2 := bound(c.MaxLength, maxAttribute)
		switch {
		case !ok1 || !ok2 || least < 0:
			return no("StringAttributeConstraints")
		case most > maxAttribute || least > maxAttribute:
			return refuse(InvalidParameter, fmt.Sprintf("user.%s: String attributes cannot have a length of more than %d", a.Name, maxAttribute))
		case most < least:
			return less("length")
		}
	}
	if c := a.NumberAttributeConstraints; c != nil {
		const far = 1 << 62
		least, ok1 := bound(c.MinValue, -far)
		most, ok2 := bound(c.MaxValue, far)
		switch {
		case !ok1 || !ok2:
			return no("NumberAttributeConstraints")
		case most < least:
			return less("value")
		}
	}
	return nil
}

func bound(text string, otherwise int64) (int64, bool) {
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// conforms says in what a value is not as the schema has it; nothing: in nothing.
func (a SchemaAttribute) conforms(value string) string {
	switch a.AttributeDataType {
	case "Number":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "Attribute value should be a number."
		}
		c := a.NumberAttributeConstraints
		if c == nil {
			return ""
		}
		if least, _ := bound(c.MinValue, n); n < least {
			return fmt.Sprintf("Number must be no smaller than %s", c.MinValue)
		}
		if most, _ := bound(c.MaxValue, n); n > most {
			return fmt.Sprintf("Number must be no larger than %s", c.MaxValue)
		}
	case "Boolean":
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return "Attribute value should be either true or false."
		}
	case "DateTime":
		if _, err := strconv.ParseInt(value, 10, 64); err == nil {
			return ""
		}
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "Attribute value should be a date and time."
		}
	default:
		least, most := int64(0), int64(maxAttribute)
		if c := a.StringAttributeConstraints; c != nil {
			least, _ = bound(c.MinLength, 0)
			most, _ = bound(c.MaxLength, maxAttribute)
		}
		switch length := int64(utf8.RuneCountInString(value)); {
		case length < least:
			return fmt.Sprintf("String must be no shorter than %d characters", least)
		case length > most || len(value) > maxAttribute:
			return fmt.Sprintf("String must be no longer than %d characters", most)
		}
	}
	return ""
}

// attribute finds an attribute of the pool's schema. In a pool whose schema nobody gave,
// custom attributes are as they are called.
func (p *Pool) attribute(name string) (SchemaAttribute, bool) {
	for _, a := range p.rules.SchemaAttributes {
		if a.Name == name {
			return a, true
		}
	}
	if p.AnySchema && customPattern.MatchString(name) {
		return SchemaAttribute{Name: name, AttributeDataType: "String", Mutable: true}, true
	}
	return SchemaAttribute{}, false
}

// missing are the required attributes that a new user lacks, each on a line.
func (p *Pool) missing(attributes map[string]string) error {
	var b strings.Builder
	for _, a := range p.rules.SchemaAttributes {
		if a.Required && a.Name != "sub" && attributes[a.Name] == "" {
			fmt.Fprintf(&b, "%s: The attribute is required\n", a.Name)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return refuse(InvalidParameter, "Attributes did not conform to the schema: "+b.String())
}

// maxCustom is how many custom attributes a pool has at most.
const maxCustom = 50

// AddAttributes adds custom attributes to a pool's schema.
func (s *State) AddAttributes(poolID string, added []NewAttribute) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	list := slices.Clone(p.rules.SchemaAttributes)
	for _, n := range added {
		a, err := n.Attribute(true)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(other SchemaAttribute) bool { return other.Name == a.Name }) {
			return refuse(InvalidParameter, fmt.Sprintf("custom:%s: Existing attribute already has name %s.", n.Name, a.Name))
		}
		list = append(list, a)
	}
	if len(list) > len(StandardAttributes)+maxCustom {
		return refuse(LimitExceeded, "Maximum number of custom attributes has been reached.")
	}
	return s.resettle(p, Settings{"SchemaAttributes": mustJSON(list)})
}
