package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/codegrant/codegrant/directory"
)

const (
	terraform      = "../../deploy/terraform/events.tf"
	cloudFormation = "../../deploy/cloudformation/events.yaml"
)

// pattern is that of a rule.
type pattern struct {
	Source     []string `json:"source"`
	DetailType []string `json:"detail-type"`
	Detail     struct {
		EventSource       []string         `json:"eventSource"`
		EventName         []string         `json:"eventName"`
		ErrorCode         []map[string]any `json:"errorCode"`
		RequestParameters struct {
			UserPoolID []any `json:"userPoolId"`
		} `json:"requestParameters"`
	} `json:"detail"`
}

func (p pattern) check(t *testing.T, size int) {
	t.Helper()
	if want := directory.EventNames(); !slices.Equal(slices.Sorted(slices.Values(p.Detail.EventName)), want) {
		t.Errorf("the rule lets through\n%q\nand codegrant looks into\n%q", p.Detail.EventName, want)
	}
	if !slices.Equal(p.Source, []string{"aws.cognito-idp"}) || !slices.Equal(p.DetailType, []string{"AWS API Call via CloudTrail"}) ||
		!slices.Equal(p.Detail.EventSource, []string{"cognito-idp.amazonaws.com"}) || fmt.Sprint(p.Detail.RequestParameters.UserPoolID) != "[pool map[exists:false]]" ||
		len(p.Detail.ErrorCode) != 1 || p.Detail.ErrorCode[0]["exists"] != false {
		t.Errorf("the rule is %+v", p)
	}
	if size > 2048 {
		t.Errorf("the pattern has %d characters, and EventBridge takes 2048", size)
	}
}

// policy is one of IAM.
type policy struct {
	Version   string
	Statement []struct {
		Effect    string
		Action    any
		Principal map[string]any
		Condition map[string]any
	}
}

func (p policy) actions() (all []string) {
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			continue
		}
		switch a := s.Action.(type) {
		case string:
			all = append(all, a)
		case []any:
			for _, one := range a {
				all = append(all, one.(string))
			}
		}
	}
	return all
}

var mayDo = []string{"cognito-idp:ListUsers", "cognito-idp:ListGroups", "cognito-idp:ListUsersInGroup", "cognito-idp:ListPointInTimeRecoveries", "cognito-idp:DescribePointInTimeRecovery",
	"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

// module is what there is in a file of Terraform.
type module struct {
	t      *testing.T
	blocks map[string]*hclsyntax.Body // by kind and labels
	eval   *hcl.EvalContext
}

func parseTerraform(t *testing.T) *module {
	t.Helper()
	text, err := os.ReadFile(terraform)
	if err != nil {
		t.Fatal(err)
	}
	file, faults := hclsyntax.ParseConfig(text, terraform, hcl.InitialPos)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	m := &module{t: t, blocks: make(map[string]*hclsyntax.Body), eval: &hcl.EvalContext{
		Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc},
		Variables: map[string]cty.Value{},
	}}
	thing := func(name string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal("arn:" + name), "url": cty.StringVal("url:" + name), "name": cty.StringVal(name)})
	}
	kinds := make(map[string]map[string]cty.Value)
	variables := make(map[string]cty.Value)
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		name := strings.Join(append([]string{block.Type}, block.Labels...), ".")
		if m.blocks[name] != nil {
			t.Errorf("there are two of %s", name)
		}
		m.blocks[name] = block.Body
		switch block.Type {
		case "resource":
			if kinds[block.Labels[0]] == nil {
				kinds[block.Labels[0]] = make(map[string]cty.Value)
			}
			kinds[block.Labels[0]][block.Labels[1]] = thing(block.Labels[1])
		case "variable":
			variables[block.Labels[0]] = cty.StringVal("pool")
		}
	}
	for kind, things := range kinds {
		m.eval.Variables[kind] = cty.ObjectVal(things)
	}
	m.eval.Variables["var"] = cty.ObjectVal(variables)
	m.eval.Variables["local"] = cty.ObjectVal(map[string]cty.Value{"user_pool_arn": cty.StringVal("arn:pool"), "endpoints": cty.EmptyTupleVal})
	return m
}

// read evaluates an attribute that is JSON.
func (m *module) read(block, attribute string, into any) int {
	m.t.Helper()
	body := m.blocks[block]
	if body == nil || body.Attributes[attribute] == nil {
		m.t.Fatalf("there is no %s of %s", attribute, block)
	}
	value, faults := body.Attributes[attribute].Expr.Value(m.eval)
	if faults.HasErrors() {
		m.t.Fatal(faults)
	}
	if err := json.Unmarshal([]byte(value.AsString()), into); err != nil {
		m.t.Fatal(err)
	}
	return len(value.AsString())
}

// TestTerraform: the file parses, names nothing that it does not have, and its rule
// and policy are what the product needs.
func TestTerraform(t *testing.T) {
	m := parseTerraform(t)
	var rule pattern
	size := m.read("resource.aws_cloudwatch_event_rule.changes", "event_pattern", &rule)
	rule.check(t, size)
	var sync, queue policy
	m.read("resource.aws_iam_policy.sync", "policy", &sync)
	if got := sync.actions(); !slices.Equal(got, mayDo) {
		t.Errorf("codegrant sync may do %q, want %q", got, mayDo)
	}
	m.read("resource.aws_sqs_queue_policy.events", "policy", &queue)
	if got := queue.actions(); !slices.Equal(got, []string{"sqs:SendMessage"}) || queue.Statement[0].Condition == nil {
		t.Errorf("the queue lets %q in, %v", got, queue.Statement)
	}
	var redrive struct{ DeadLetterTargetArn string }
	m.read("resource.aws_sqs_queue.events", "redrive_policy", &redrive)
	if redrive.DeadLetterTargetArn != "arn:dead" {
		t.Errorf("what fails goes to %s", redrive.DeadLetterTargetArn)
	}
	for name, body := range m.blocks {
		hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
			expression, ok := node.(*hclsyntax.ScopeTraversalExpr)
			if !ok {
				return nil
			}
			var path []string
			for _, step := range expression.Traversal {
				switch step := step.(type) {
				case hcl.TraverseRoot:
					path = append(path, step.Name)
				case hcl.TraverseAttr:
					path = append(path, step.Name)
				}
			}
			switch {
			case path[0] == "each" || path[0] == "local" || path[0] == "string":
			case path[0] == "var" && m.blocks["variable."+path[1]] != nil:
			case path[0] == "data" && m.blocks[strings.Join(path[:3], ".")] != nil:
			case len(path) > 1 && m.blocks["resource."+path[0]+"."+path[1]] != nil:
			case path[0] == "bool":
			default:
				t.Errorf("%s: there is no %s", name, strings.Join(path, "."))
			}
			return nil
		})
	}
}

// TestCloudFormation: the same for the other template.
func TestCloudFormation(t *testing.T) {
	text, err := os.ReadFile(cloudFormation)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		AWSTemplateFormatVersion string
		Description              string
		Parameters, Conditions   map[string]any
		Outputs                  map[string]any
		Resources                map[string]struct {
			Type       string
			Condition  string
			Properties map[string]any
		}
	}
	var read map[string]any
	if err := yaml.UnmarshalWithOptions(text, &read, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	strict := json.NewDecoder(bytes.NewReader(encoded)) // the other decoder wants lower case
	strict.DisallowUnknownFields()
	if err := strict.Decode(&all); err != nil {
		t.Fatal(err)
	}
	part := func(resource, property string, into any) int {
		t.Helper()
		value, ok := all.Resources[resource].Properties[property]
		if !ok {
			t.Fatalf("%s has no %s", resource, property)
		}
		encoded, err := json.Marshal(resolved(value))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, into); err != nil {
			t.Fatal(err)
		}
		return len(encoded)
	}
	var rule pattern
	size := part("Rule", "EventPattern", &rule)
	rule.check(t, size)
	var sync, queue policy
	part("SyncPolicy", "PolicyDocument", &sync)
	if got := sync.actions(); !slices.Equal(got, mayDo) {
		t.Errorf("codegrant sync may do %q, want %q", got, mayDo)
	}
	part("QueuePolicy", "PolicyDocument", &queue)
	if got := queue.actions(); !slices.Equal(got, []string{"sqs:SendMessage"}) || queue.Statement[0].Condition == nil {
		t.Errorf("the queue lets %q in, %v", got, queue.Statement)
	}

	// Whatever is named is there.
	var walk func(at string, value any)
	named := func(at, name string) {
		_, parameter := all.Parameters[name]
		_, resource := all.Resources[name]
		if !parameter && !resource && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("%s: there is no %s", at, name)
		}
	}
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			if name, ok := v["Ref"].(string); ok {
				named(at, name)
			}
			if pair, ok := v["Fn::GetAtt"].([]any); ok {
				named(at, pair[0].(string))
			}
			for key, inner := range v {
				walk(at+"."+key, inner)
			}
		case []any:
			for _, inner := range v {
				walk(at, inner)
			}
		}
	}
	for name, r := range all.Resources {
		if r.Type == "" || r.Properties == nil {
			t.Errorf("%s has no type, or no properties", name)
		}
		if _, ok := all.Conditions[r.Condition]; r.Condition != "" && !ok {
			t.Errorf("%s: there is no condition %s", name, r.Condition)
		}
		walk(name, r.Properties)
	}
	walk("Outputs", all.Outputs)
}

// resolved puts "pool" in for parameters.
func resolved(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if _, ok := v["Ref"]; ok {
			return "pool"
		}
		out := make(map[string]any)
		for key, inner := range v {
			out[key] = resolved(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = resolved(inner)
		}
		return out
	}
	return value
}

// TestManifests: what else is deployed is YAML without doubled keys.
func TestManifests(t *testing.T) {
	files, err := filepath.Glob("../../deploy/*/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
		for {
			var document map[string]any
			err := decoder.Decode(&document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || len(document) == 0 {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}
