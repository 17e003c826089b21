package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// rule is a Tool, ready to be asked.
type rule struct {
	Tool
	parts []string // of the name, between its asterisks
}

func newRules(tools []Tool) ([]rule, error) {
	var faults []error
	var rules []rule
	for _, tool := range tools {
		r := rule{Tool: tool, parts: strings.Split(tool.Name, "*")}
		field := fmt.Sprintf("Tools[%.32s]", tool.Name)
		switch {
		case tool.Name == "" || len(tool.Name) > maxName:
			faults = append(faults, fmt.Errorf("%s: the name is empty or too long", field))
		case slices.ContainsFunc(rules, func(o rule) bool { return o.Name == tool.Name }):
			faults = append(faults, fmt.Errorf("%s: it is there twice", field))
		case slices.Contains(tool.Permissions, nil):
			faults = append(faults, fmt.Errorf("%s: a permission is nil", field))
		}
		faults = append(faults, checkScopes(field+".Scopes", tool.Scopes))
		rules = append(rules, r)
	}
	slices.SortStableFunc(rules, func(a, b rule) int {
		return cmp.Or(boolean(len(a.parts) > 1)-boolean(len(b.parts) > 1), len(strings.Join(b.parts, ""))-len(strings.Join(a.parts, "")), cmp.Compare(a.Name, b.Name))
	})
	return rules, errors.Join(faults...)
}

// matches reports whether the rule is for a tool. Names are compared byte for byte.
func (r *rule) matches(name string) bool {
	if len(r.parts) == 1 {
		return name == r.parts[0]
	}
	first, last := r.parts[0], r.parts[len(r.parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range r.parts[1 : len(r.parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}

// ruleFor is the rule that decides about a tool; nil: none does.
func (res *Resource) ruleFor(name string) *rule {
	for i := range res.rules {
		if res.rules[i].matches(name) {
			return &res.rules[i]
		}
	}
	return nil
}

// verdict is what a person may do with a tool.
type verdict struct {
	rule    string
	allowed bool
	missing []string // scopes, where nothing else is
	listed  bool
	why     string // not, for the log
}

// judge asks whether somebody may call a tool.
func (res *Resource) judge(ctx context.Context, id *codegrant.Identity, r *http.Request, name string) (verdict, error) {
	if len(res.rules) == 0 {
		return verdict{allowed: true, listed: true}, nil
	}
	found := res.ruleFor(name)
	if found == nil {
		return verdict{why: "no rule names the tool"}, nil
	}
	v := verdict{rule: found.Name}
	for _, p := range found.Permissions {
		ok, err := p.Check(ctx, id, r)
		if err != nil {
			return v, fmt.Errorf("check the permission for the tool: %w", err)
		}
		if !ok {
			v.why = "needs " + p.String()
			return v, nil
		}
	}
	if v.missing = missing(id, found.Scopes); v.missing != nil {
		v.why, v.listed = "needs scope "+strings.Join(v.missing, " and "), found.Listed
		return v, nil
	}
	v.allowed, v.listed = true, true
	return v, nil
}

// missing are the scopes that a token lacks.
func missing(id *codegrant.Identity, scopes []string) (list []string) {
	for _, s := range scopes {
		if !id.HasScope(s) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
