package triggers

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// members are those of a JSON object, by their exact names.
type members map[string]json.RawMessage

func object(what string, raw json.RawMessage) (members, error) {
	var m members
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s is not an object: %w", what, err)
	}
	if m == nil {
		return nil, fmt.Errorf("%s is not an object but null", what)
	}
	return m, nil
}

// part is an object that may be missing, or null, which is the same.
func (m members) part(name string) (members, error) {
	if !m.has(name) {
		return nil, nil
	}
	return object(name, m[name])
}

func (m members) has(name string) bool { return len(m[name]) > 0 && string(m[name]) != "null" }

// read reads a member that may be missing, or null.
func read[T any](m members, name string) (v T, err error) {
	if !m.has(name) {
		return v, nil
	}
	if err := json.Unmarshal(m[name], &v); err != nil {
		return v, fmt.Errorf("%s has a value of another type: %w", name, err)
	}
	return v, nil
}

// parseAnswer reads what a function answers to an event: the event, whole, with a
// response in it.
func parseAnswer(body []byte, source, poolID string) (members, error) {
	m, err := object("the answer", body)
	if err != nil {
		return nil, err
	}
	for name, want := range map[string]string{"triggerSource": source, "userPoolId": poolID} {
		got, err := read[string](m, name)
		if err != nil {
			return nil, err
		}
		if got != want {
			return nil, fmt.Errorf("%s is %.64q and was %q: a function returns the event that it was given", name, got, want)
		}
	}
	return object("response", m["response"])
}

func parseVerdict(m members) (v state.Verdict, err error) {
	if v.Confirm, err = read[bool](m, "autoConfirmUser"); err != nil {
		return state.Verdict{}, err
	}
	if v.VerifyEmail, err = read[bool](m, "autoVerifyEmail"); err != nil {
		return state.Verdict{}, err
	}
	if v.VerifyPhone, err = read[bool](m, "autoVerifyPhone"); err != nil {
		return state.Verdict{}, err
	}
	return v, nil
}

// Claims are what a function changes of one token.
type Claims struct {
	Add      map[string]any
	Suppress []string
}

// Overrides are what a function changes of the tokens of one answer. Its zero value
// changes nothing.
type Overrides struct {
	ID, Access     Claims
	AddScopes      []string
	SuppressScopes []string
	Groups         *Groups // in the place of the person's own; empty: none at all
}

// parseClaims reads the answer to the first version of the event, which is about
// the ID token, but for groups. Values are strings.
func parseClaims(m members) (Overrides, error) {
	details, err := m.part("claimsOverrideDetails")
	if err != nil || details == nil {
		return Overrides{}, err
	}
	var o Overrides
	add, err := read[map[string]*string](details, "claimsToAddOrOverride")
	if err != nil {
		return Overrides{}, err
	}
	for name, value := range add {
		if value == nil {
			return Overrides{}, fmt.Errorf("claimsToAddOrOverride: %.64q is null", name)
		}
		if o.ID.Add == nil {
			o.ID.Add = make(map[string]any)
		}
		o.ID.Add[name] = *value
	}
	if o.ID.Suppress, err = read[[]string](details, "claimsToSuppress"); err != nil {
		return Overrides{}, err
	}
	if o.Groups, err = parseGroups(details); err != nil {
		return Overrides{}, err
	}
	return o, nil
}

// parseClaimsAndScopes reads the answer to later versions of the event.
func parseClaimsAndScopes(m members) (Overrides, error) {
	details, err := m.part("claimsAndScopeOverrideDetails")
	if err != nil || details == nil {
		return Overrides{}, err
	}
	var o Overrides
	for name, claims := range map[string]*Claims{"idTokenGeneration": &o.ID, "accessTokenGeneration": &o.Access} {
		generation, err := details.part(name)
		if err != nil {
			return Overrides{}, err
		}
		if claims.Add, err = read[map[string]any](generation, "claimsToAddOrOverride"); err != nil {
			return Overrides{}, err
		}
		if claims.Suppress, err = read[[]string](generation, "claimsToSuppress"); err != nil {
			return Overrides{}, err
		}
		if name != "accessTokenGeneration" {
			continue
		}
		if o.AddScopes, err = read[[]string](generation, "scopesToAdd"); err != nil {
			return Overrides{}, err
		}
		if o.SuppressScopes, err = read[[]string](generation, "scopesToSuppress"); err != nil {
			return Overrides{}, err
		}
	}
	for _, scope := range o.AddScopes {
		if scope == "" || strings.ContainsFunc(scope, unicode.IsSpace) {
			return Overrides{}, fmt.Errorf("scopesToAdd: %.64q is not the name of a scope", scope)
		}
	}
	if o.Groups, err = parseGroups(details); err != nil {
		return Overrides{}, err
	}
	return o, nil
}

// parseGroups reads groups in the place of a person's own. There are none in an
// object that is empty, and it is not a change where there is no object.
func parseGroups(details members) (*Groups, error) {
	m, err := details.part("groupOverrideDetails")
	if err != nil || m == nil {
		return nil, err
	}
	var g Groups
	if g.Names, err = read[[]string](m, "groupsToOverride"); err != nil {
		return nil, err
	}
	if g.Roles, err = read[[]string](m, "iamRolesToOverride"); err != nil {
		return nil, err
	}
	if g.Preferred, err = read[string](m, "preferredRole"); err != nil {
		return nil, err
	}
	return &g, nil
}
