package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/rule/cedar"
	"github.com/codegrant/codegrant/session"
)

// Command is codegrant policy.
type Command struct {
	Test test `cmd:"" default:"withargs" help:"Run test cases against the policies, and print the cases with an unexpected decision."`
}

// Help is shown by codegrant policy --help.
func (Command) Help() string {
	return `Examples:
  codegrant policy test cases.yaml`
}

type test struct {
	Cases  []string `arg:"" type:"existingfile" help:"YAML files with test cases."`
	Config string   `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file that names the policies, under cedar. Defaults to codegrant.yaml."`
	Pool   string   `placeholder:"NAME" help:"Pool of the people in the cases, if the configuration has several."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant policy test --help.
func (test) Help() string {
	return `Runs test cases against the Cedar policies of a configuration, and validates the
policies against their schema. It needs no pool and sends no requests.

A case:
  # cases.yaml
  - name: editors place orders
    sub: 5e1f…                  # the person; groups and scopes as in a token
    groups: [editors]
    organization: {id: org_1, role: admin}    # that the person acts for
    action: post /orders        # or Shop::Action::"view"
    resource: Order::"42"       # defaults to the application
    attributes: {total: 12}     # of the resource
    context: {channel: web}
    allow: true                 # required; false is refused
    by: [editors write]         # the policies that decide; without it, any may

Exit status: 0 if all cases are decided as they say, 1 if one is not, or if the
policies have a fault.

Examples:
  codegrant policy test cases.yaml
  codegrant policy test --config codegrant.yaml tests/*.yaml --json`
}

// entry is one case.
type entry struct {
	Name       string         `yaml:"name"`
	Sub        string         `yaml:"sub"`
	Username   string         `yaml:"username"`
	Email      string         `yaml:"email"`
	Verified   bool           `yaml:"email_verified"`
	Groups     []string       `yaml:"groups"`
	Scopes     []string       `yaml:"scopes"`
	Acting     *acting        `yaml:"organization"`
	ClientID   string         `yaml:"client_id"`
	ACR        string         `yaml:"acr"`
	Action     string         `yaml:"action"`
	Resource   string         `yaml:"resource"`
	Attributes map[string]any `yaml:"attributes"`
	Parents    []string       `yaml:"parents"`
	Context    map[string]any `yaml:"context"`
	Allow      *bool          `yaml:"allow"`
	By         []string       `yaml:"by"`
}

// acting is the organization that a person acts for.
type acting struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	Role string `yaml:"role"`
}

// outcome is what --json prints of each.
type outcome struct {
	File     string   `json:"file"`
	Name     string   `json:"name"`
	Good     bool     `json:"good"`
	Allowed  bool     `json:"allowed"`
	Policies []string `json:"policies,omitempty"`
	Reason   string   `json:"reason,omitempty"` // why it is not good
}

func (c test) Run(_ context.Context, out *terminal.Streams) error {
	s, err := parts.Load(c.Config, settings.Options{Keys: session.RandomKeyring(), Uses: []string{"cedar"}})
	if err != nil {
		return err
	}
	if s.Cedar == nil {
		return fmt.Errorf("%s has no policies; add cedar: {policies: [policies.cedar]}", c.Config)
	}
	pool, err := parts.ChoosePool(s, c.Pool)
	if err != nil {
		return err
	}
	var all []outcome
	for _, file := range c.Cases {
		cases, err := read(file)
		if err != nil {
			return err
		}
		for i, e := range cases {
			o := e.ask(s.Cedar, pool.Issuer)
			if o.File, o.Name = file, e.Name; o.Name == "" {
				o.Name = fmt.Sprintf("case %d", i+1)
			}
			all = append(all, o)
		}
	}
	return show(out, all, c.JSON)
}

const maxCases = 4 << 20

func read(file string) ([]entry, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	if len(text) > maxCases {
		return nil, fmt.Errorf("%s is larger than %d MiB", file, maxCases>>20)
	}
	var cases []entry
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&cases); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s has no cases", file)
	}
	for i, e := range cases {
		switch {
		case e.Allow == nil:
			return nil, fmt.Errorf("%s: case %d (%s) has no expected decision: add allow: true or allow: false", file, i+1, e.Name)
		case e.Acting != nil && (e.Acting.ID == "" || e.Acting.Role == ""):
			return nil, fmt.Errorf("%s: case %d (%s) has an organization without id or role: add both", file, i+1, e.Name)
		case e.Action == "":
			return nil, fmt.Errorf("%s: case %d (%s) has no action: add action, such as get /orders", file, i+1, e.Name)
		}
	}
	return cases, nil
}

// ask has the policies decide. A fault is never what a case wants: it says nothing.
func (e entry) ask(p *cedar.Policies, issuer string) outcome {
	id := &codegrant.Identity{
		Issuer: issuer, Subject: e.Sub, Username: e.Username, Email: e.Email, EmailVerified: e.Verified,
		Groups: e.Groups, Scopes: e.Scopes, ClientID: e.ClientID, ACR: e.ACR,
	}
	if e.Acting != nil {
		id.Organization = &codegrant.Organization{ID: e.Acting.ID, Name: e.Acting.Name, Role: e.Acting.Role}
	}
	if !p.Knows(e.Action) {
		return outcome{Reason: fmt.Sprintf("the schema has no action %q", e.Action)}
	}
	v, err := p.Decide(id, cedar.Target{Action: e.Action, Resource: e.Resource, Attributes: e.Attributes, Parents: e.Parents, Context: e.Context})
	o := outcome{Allowed: v.Allowed, Policies: v.Policies}
	by := func(ids []string) string {
		if len(ids) == 0 {
			return "none"
		}
		return strings.Join(ids, ", ")
	}
	words := map[bool]string{true: "allowed", false: "refused"}
	decided := words[v.Allowed] + " by " + by(v.Policies)
	if len(v.Policies) == 0 {
		decided = "refused, because no policy permits it" // as Cedar decides without a policy
	}
	switch {
	case err != nil:
		o.Reason = err.Error()
	case v.Allowed != *e.Allow:
		o.Reason = fmt.Sprintf("expected %s, got %s", words[*e.Allow], decided)
		if len(v.Faults) > 0 {
			o.Reason += "; not evaluated: " + strings.Join(v.Faults, "; ")
		}
	case e.By != nil && by(slices.Sorted(slices.Values(e.By))) != by(v.Policies):
		o.Reason = fmt.Sprintf("expected policies: %s; got %s", by(slices.Sorted(slices.Values(e.By))), decided)
	default:
		o.Good = true
	}
	return o
}

func show(out *terminal.Streams, all []outcome, asJSON bool) error {
	wrong := 0
	for _, o := range all {
		if !o.Good {
			wrong++
		}
	}
	if asJSON {
		if err := terminal.PrintJSON(out.Stdout, all); err != nil {
			return err
		}
	} else {
		for _, o := range all {
			if !o.Good {
				fmt.Fprintf(out.Stdout, "%s: %s: %s\n", o.File, terminal.Printable(o.Name), terminal.Printable(o.Reason))
			}
		}
		fmt.Fprintf(out.Stdout, "%s, %d wrong\n", terminal.Plural(len(all), "case"), wrong)
	}
	if wrong > 0 {
		return errors.New("the policies do not decide all cases as expected")
	}
	return nil
}
