package cedar

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	"github.com/codegrant/codegrant"
)

// File is a file of policies, or a schema. Text is in Cedar's own form, or in its JSON
// where the name ends in .json.
type File struct {
	Name string // for faults
	Text []byte
}

// Config names policies.
type Config struct {
	// Namespace is that of the entities, such as Shop. Defaults to none.
	Namespace string
	// Policies, one file or more. A policy is called by its annotation @id("…"), or by its
	// file and place. Required.
	Policies []File
	// Schema that the policies are validated against. Defaults to none, and then a misspelt
	// name is found by nobody.
	Schema *File
}

// Policies decide. They are safe for concurrent use. Make them with [New].
type Policies struct {
	namespace string
	set       *engine.PolicySet
	schema    *resolved.Schema // nil: none
	check     *validate.Validator
}

var namespacePattern = regexp.MustCompile(`^[_a-zA-Z][_a-zA-Z0-9]*(::[_a-zA-Z][_a-zA-Z0-9]*)*$`)

// New parses and validates, and reports all that is wrong, each fault with its file.
func New(c Config) (*Policies, error) {
	p := &Policies{namespace: c.Namespace, set: engine.NewPolicySet()}
	var faults []error
	if c.Namespace != "" && !namespacePattern.MatchString(c.Namespace) {
		faults = append(faults, fmt.Errorf("namespace %q is not a namespace of Cedar, such as Shop", c.Namespace))
	}
	if c.Schema != nil {
		if err := p.readSchema(*c.Schema); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", c.Schema.Name, err))
		}
	}
	count := 0
	for _, file := range c.Policies {
		found, err := parse(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s", file.Name, placeOfFault.ReplaceAllString(err.Error(), "line $1, column $2:")))
		}
		for i, policy := range found {
			id := types.PolicyID(policy.Annotations()["id"])
			if id == "" {
				id = types.PolicyID(fmt.Sprintf("%s, policy %d", file.Name, i+1))
			}
			if !p.set.Add(id, policy) {
				faults = append(faults, fmt.Errorf("%s: there are two policies %q", file.Name, id))
			}
			if count++; p.check == nil {
				continue
			}
			if err := p.check.Policy(string(id), (*ast.Policy)(policy.AST())); err != nil {
				at := ""
				if line := policy.Position().Line; line > 0 {
					at = fmt.Sprintf("line %d: ", line)
				}
				faults = append(faults, fmt.Errorf("%s: %s%s does not fit the schema: %w", file.Name, at, id, err))
			}
		}
	}
	if count == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("there is no policy: nobody would be allowed; add a permit"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// placeOfFault is where the engine says that it could not read a policy.
var placeOfFault = regexp.MustCompile(`^parser error: parse error at [^:]*:(\d+):(\d+)`)

func parse(file File) ([]*engine.Policy, error) {
	if !strings.HasSuffix(file.Name, ".json") {
		return engine.NewPolicyListFromBytes(file.Name, file.Text)
	}
	var set engine.PolicySet
	if err := set.UnmarshalJSON(file.Text); err != nil {
		return nil, err
	}
	byID := maps.Collect(set.All())
	var all []*engine.Policy
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id])
	}
	return all, nil
}

func (p *Policies) readSchema(file File) error {
	var s schema.Schema
	s.SetFilename(file.Name)
	read := s.UnmarshalCedar
	if strings.HasSuffix(file.Name, ".json") {
		read = s.UnmarshalJSON
	}
	if err := read(file.Text); err != nil {
		return err
	}
	found, err := s.Resolve()
	if err != nil {
		return err
	}
	p.schema, p.check = found, validate.New(found)
	return nil
}

// Knows reports whether the schema has an action; without a schema, every one.
func (p *Policies) Knows(action string) bool {
	uid, err := p.action(action)
	if err != nil || p.schema == nil {
		return err == nil
	}
	_, ok := p.schema.Actions[uid]
	return ok
}

// named is the type of a name in the namespace.
func (p *Policies) named(name string) types.EntityType {
	if p.namespace == "" || strings.Contains(name, "::") {
		return types.EntityType(name)
	}
	return types.EntityType(p.namespace + "::" + name)
}

var uidPattern = regexp.MustCompile(`^([_a-zA-Z][_a-zA-Z0-9:]*)::("(?:[^"\\]|\\.)*")$`)

// uid reads Shop::Order::"42", or Order::"42".
func (p *Policies) uid(text string) (types.EntityUID, error) {
	parts := uidPattern.FindStringSubmatch(text)
	if parts == nil || !namespacePattern.MatchString(parts[1]) {
		return types.EntityUID{}, fmt.Errorf("%q is not an entity such as Order::\"42\"", text)
	}
	id, err := strconv.Unquote(parts[2])
	if err != nil {
		return types.EntityUID{}, fmt.Errorf("%q is not an entity: %w", text, err)
	}
	return types.NewEntityUID(p.named(parts[1]), types.String(id)), nil
}

// action is that of a name, or of a whole entity.
func (p *Policies) action(text string) (types.EntityUID, error) {
	switch {
	case text == "":
		return types.EntityUID{}, errors.New("no action is named")
	case uidPattern.MatchString(text):
		return p.uid(text)
	}
	return types.NewEntityUID(p.named("Action"), types.String(text)), nil
}

// poolOf is the id of the pool, which is the end of its issuer.
func poolOf(issuer string) string {
	return issuer[strings.LastIndexByte(issuer, '/')+1:]
}

// who is the entity that stands for somebody.
func (p *Policies) who(id *codegrant.Identity) types.EntityUID {
	return types.NewEntityUID(p.named("User"), types.String(poolOf(id.Issuer)+"|"+id.Subject))
}
