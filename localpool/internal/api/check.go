package api

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// check collects what is wrong with the members of a request: Cognito names all of
// it at once, and looks no further.
type check struct{ faults []string }

func (c *check) err() error {
	switch len(c.faults) {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", c.faults[0])
	}
	return invalid("%d validation errors detected: %s", len(c.faults), strings.Join(c.faults, "; "))
}

// fail notes a fault. given is the value as the message gives it: nothing of one
// that is a secret.
func (c *check) fail(given, member, constraint string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: Member must %s", given, member, fmt.Sprintf(constraint, args...)))
}

func (c *check) present(member string, ok bool) bool {
	if !ok {
		c.fail("null ", member, "not be null")
	}
	return ok
}

// text checks a string that has to be there.
func (c *check) text(member, value string, most int, pattern *regexp.Regexp) {
	if c.present(member, value != "") {
		c.optional(member, value, most, pattern)
	}
}

func (c *check) optional(member, value string, most int, pattern *regexp.Regexp) {
	given := "'" + value + "' "
	if utf8.RuneCountInString(value) > most {
		c.fail(given, member, "have length less than or equal to %d", most)
	}
	if value != "" && pattern != nil && !pattern.MatchString(value) {
		c.fail(given, member, "satisfy regular expression pattern: %s", shown(pattern))
	}
}

// secret checks a string that no message may show.
func (c *check) secret(member, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case !c.present(member, value != ""):
	case n < least:
		c.fail("", member, "have length greater than or equal to %d", least)
	case n > most:
		c.fail("", member, "have length less than or equal to %d", most)
	}
}

// code checks what was sent to a user, or their app shows: no message shows it.
func (c *check) code(member, value string, most int, pattern *regexp.Regexp) {
	c.secret(member, value, 1, most)
	if value != "" && !pattern.MatchString(value) {
		c.fail("", member, "satisfy regular expression pattern: %s", shown(pattern))
	}
}

// shown is a pattern as messages give it, without its ends.
func shown(pattern *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$")
}

// between checks a number that may be left out.
func (c *check) between(member string, value *int, least, most int) {
	switch {
	case value == nil:
	case *value < least:
		c.fail(fmt.Sprintf("'%d' ", *value), member, "have value greater than or equal to %d", least)
	case *value > most:
		c.fail(fmt.Sprintf("'%d' ", *value), member, "have value less than or equal to %d", most)
	}
}

// oneOf checks a word that may be left out.
func (c *check) oneOf(member, value string, set ...string) {
	for _, s := range set {
		if value == s {
			return
		}
	}
	if value != "" {
		c.fail("'"+value+"' ", member, "satisfy enum value set: [%s]", strings.Join(set, ", "))
	}
}

var (
	poolIDPattern   = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)
	clientIDPattern = regexp.MustCompile(`^[\w+]+$`)
	namePattern     = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$`)
	roleARNPattern  = regexp.MustCompile(`^arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?$`)
)

const pageLimit = 60

func (c *check) pool(id string)       { c.text("userPoolId", id, 55, poolIDPattern) }
func (c *check) client(id string)     { c.text("clientId", id, 128, clientIDPattern) }
func (c *check) username(name string) { c.text("username", name, 128, namePattern) }
func (c *check) group(name string)    { c.text("groupName", name, 128, namePattern) }
func (c *check) limit(limit *int)     { c.between("limit", limit, 0, pageLimit) }

// limitOf is how many a page has at most: as many as it can where that is left
// open, or zero.
func limitOf(limit *int) int {
	if limit == nil || *limit == 0 {
		return pageLimit
	}
	return *limit
}

const maxPassword = 256

// attributes checks names and values on their own; whether the pool has them is
// asked later.
func (c *check) attributes(list []attribute) {
	for i, a := range list {
		at := fmt.Sprintf("userAttributes.%d.member.", i+1)
		c.text(at+"name", a.Name, 32, namePattern)
		c.optional(at+"value", a.Value, 2048, nil)
	}
}

func mapOf(list []attribute) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Name] = a.Value
	}
	return m
}
