package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

func TestTable(t *testing.T) {
	open := 0
	for _, name := range Operations() {
		o, _ := Lookup(name)
		if ShapeOf(o.Input) == nil || o.Output != "" && ShapeOf(o.Output) == nil || len(o.Errors) == 0 {
			t.Errorf("%s = %+v: its types are not in the table", name, o)
		}
		if o.Open {
			open++
		}
	}
	if len(Operations()) != 153 || open != 34 {
		t.Errorf("%d operations, %d without a signature; want 153 and 34", len(Operations()), open)
	}
}

// TestFactsAreOfTheModel makes the table again from AWS's model, as the Python package
// index has it.
func TestFactsAreOfTheModel(t *testing.T) {
	bin := testenv.Python(t, "botocore==1.44.8")
	found, err := filepath.Glob(filepath.Join(filepath.Dir(bin), "lib", "python*", "site-packages", "botocore", "data", "cognito-idp", "*", "service-2.json.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the package has %v, %v", found, err)
	}
	into := filepath.Join(t.TempDir(), "facts.json")
	if out, err := exec.CommandContext(t.Context(), "go", "run", "./generate", found[0], into).CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	made, err := os.ReadFile(into)
	if err != nil {
		t.Fatal(err)
	}
	if string(made) != string(facts) {
		t.Error("facts.json is not what generate makes of botocore 1.44.8: see doc.go")
	}
}

// TestWording has a row for each form of a fault, as live pools word it.
func TestWording(t *testing.T) {
	long := strings.Repeat("x", 1025)
	const url = `Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+`
	tests := []struct {
		name, operation, body string
		want                  []string
	}{
		{"nothing wrong", "AdminGetUser", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"alice"}`, nil},
		{"null", "DescribeUserPool", `{}`, []string{"Value null at 'userPoolId' failed to satisfy constraint: Member must not be null"}},
		{"null that is said", "DescribeUserPool", `{"UserPoolId":null}`, []string{"Value null at 'userPoolId' failed to satisfy constraint: Member must not be null"}},
		{"null of a sensitive member", "AdminGetUser", `{"UserPoolId":"eu-west-1_Ab12Cd34E"}`, []string{"Value at 'username' failed to satisfy constraint: Member must not be null"}},
		{"empty: length and pattern", "DescribeUserPool", `{"UserPoolId":""}`, []string{
			"Value '' at 'userPoolId' failed to satisfy constraint: Member must have length greater than or equal to 1",
			`Value '' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`}},
		{"too long, sensitive", "AdminGetUser", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"` + long + `"}`, []string{"Value at 'username' failed to satisfy constraint: Member must have length less than or equal to 128"}},
		{"a code is shown", "ConfirmSignUp", `{"ClientId":"c1","Username":"alice","ConfirmationCode":"12 34"}`, []string{`Value '12 34' at 'confirmationCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\S]+`}},
		{"password with a space at its end", "AdminSetUserPassword", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"alice","Password":"Passw0rd! "}`, []string{`Value at 'password' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[\S]+.*[\S]+$`}},
		{"password of one character", "AdminSetUserPassword", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"alice","Password":"x"}`, []string{`Value at 'password' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[\S]+.*[\S]+$`}},
		{"password with a space in it", "AdminSetUserPassword", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"alice","Password":"Passw 0rd!"}`, nil},
		{"number", "ListUsers", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Limit":61}`, []string{"Value '61' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60"}},
		{"enum", "InitiateAuth", `{"ClientId":"c1","AuthFlow":"HORSE"}`, []string{"Value 'HORSE' at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set: [" + strings.Join(ShapeOf("AuthFlowType").Enum, ", ") + "]"}},
		{"item of a list: all values, all constraints", "CreateUserPoolClient", `{"UserPoolId":"eu-west-1_Ab12Cd34E","ClientName":"x","CallbackURLs":["https://a.example.com","` + long + `"]}`, []string{
			"Value '[https://a.example.com, " + long + "]' at 'callbackURLs' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, " + url + "]"}},
		{"enum in a list", "CreateUserPool", `{"PoolName":"x","AutoVerifiedAttributes":["horse"]}`, []string{"Value '[horse]' at 'autoVerifiedAttributes' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [phone_number, email]]"}},
		{"too many items", "CreateUserPoolClient", `{"UserPoolId":"eu-west-1_Ab12Cd34E","ClientName":"x","AllowedOAuthFlows":["code","code","code","code"]}`, []string{"Value '[code, code, code, code]' at 'allowedOAuthFlows' failed to satisfy constraint: Member must have length less than or equal to 3"}},
		{"nested", "AdminCreateUser", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Username":"alice","UserAttributes":[{"Name":"email"},{"Value":"x"}]}`, []string{"Value null at 'userAttributes.2.member.name' failed to satisfy constraint: Member must not be null"}},
		{"deep", "CreateUserPool", `{"PoolName":"x","Policies":{"PasswordPolicy":{"MinimumLength":3}}}`, []string{"Value '3' at 'policies.passwordPolicy.minimumLength' failed to satisfy constraint: Member must have value greater than or equal to 6"}},
		{"a domain of one's own", "CreateUserPoolDomain", `{"UserPoolId":"eu-west-1_Ab12Cd34E","Domain":"auth.example.com"}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults, err := Validate(tt.operation, []byte(tt.body))
			if err != nil || !slices.Equal(faults, tt.want) {
				t.Errorf("Validate() = %v,\n%q, want\n%q", err, faults, tt.want)
			}
		})
	}
	if got := Message([]string{"a", "b"}); got != "2 validation errors detected: a; b" {
		t.Errorf("Message() = %q", got)
	}
}

func TestNotOfTheShape(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `7`, `{`, `{} {}`, `{"UserPoolId":7}`, `{"UserPoolId":{"x":1}}`, `{"UserPoolId":"a_b","AttributesToGet":"sub"}`, `{"UserPoolId":"a_b","AttributesToGet":[7]}`, `{"UserPoolId":"a_b","Limit":"7"}`} {
		if faults, err := Validate("ListUsers", []byte(body)); err == nil || faults != nil {
			t.Errorf("Validate(%s) = %v, %v, want an error", body, faults, err)
		}
	}
}

// TestEveryConstraint walks the table: for each constraint of each member of each
// operation, also of those within others, a request that breaks it alone is refused for it.
func TestEveryConstraint(t *testing.T) {
	count := 0
	for _, name := range Operations() {
		o, _ := Lookup(name)
		input := ShapeOf(o.Input)
		valid := example(input, 0).(map[string]any)
		if faults, err := validate(name, valid); err != nil || len(faults) > 0 {
			t.Errorf("%s: the example %v is refused: %v %v", name, valid, faults, err)
			continue
		}
		for _, m := range input.Members {
			for what, value := range broken(ShapeOf(m[1])) {
				changed := make(map[string]any)
				for k, v := range valid {
					changed[k] = v
				}
				changed[m[0]] = value
				count++
				faults, err := validate(name, changed)
				if err != nil || len(faults) == 0 || !strings.Contains(faults[0], "at '"+decapitalized(m[0])) {
					t.Errorf("%s: %s of %s passes: %v %v", name, what, m[0], faults, err)
				}
			}
		}
		for _, required := range input.Required {
			changed := make(map[string]any)
			for k, v := range valid {
				if k != required {
					changed[k] = v
				}
			}
			count++
			if faults, err := validate(name, changed); err != nil || len(faults) != 1 || !strings.HasSuffix(faults[0], "Member must not be null") {
				t.Errorf("%s without %s: %v %v", name, required, faults, err)
			}
		}
	}
	if count < 2000 {
		t.Errorf("%d constraints were broken", count)
	}
	t.Logf("%d constraints broken, one at a time", count)
}

func validate(operation string, in map[string]any) ([]string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return Validate(operation, body)
}

// texts are tried for patterns.
var texts = []string{"a", "ab", "1", "123456", "x_1", "code1234", "eu-west-1_Ab12Cd34E", "Passw0rd!", "arn:aws:iam::123456789012:role/x", "{####}", "{##x##}", "x{####}y", "a@b", "Level1", "https://a.example.com", "terms-of-use", "cognito:default",
	"12345678-1234-4234-8234-123456789012", "tkn0123456789012345678901234", "import-1", "arn:aws:secretsmanager:eu-west-1:123456789012:secret/x", "0123abcd", "x_x", "arn:aws:iam:eu-west-1:123456789012:x"}

// example is a value that a type takes.
func example(s *Shape, depth int) any {
	switch s.Type {
	case "structure":
		members := make(map[string]any)
		for _, m := range s.Members {
			if slices.Contains(s.Required, m[0]) {
				members[m[0]] = example(ShapeOf(m[1]), depth+1)
			}
		}
		return members
	case "list":
		n := 1
		if s.Min != nil {
			n = max(1, int(*s.Min))
		}
		items := make([]any, n)
		for i := range items {
			items[i] = example(ShapeOf(s.Item), depth+1)
		}
		return items
	case "map":
		return map[string]any{}
	case "integer", "long":
		if s.Min != nil {
			return *s.Min
		}
		return 1
	case "boolean":
		return true
	case "timestamp":
		return 1
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	for _, text := range texts {
		if s.Min != nil && len(text) < int(*s.Min) {
			text = strings.Repeat(text, int(*s.Min)/len(text)+1)
		}
		if got, ok := constraints(s, text); ok && len(got) == 0 {
			return text
		}
	}
	return fmt.Sprint("no example for ", s.Pattern)
}

// broken are values that break one constraint of a type each.
func broken(s *Shape) map[string]any {
	values := make(map[string]any)
	switch s.Type {
	case "string":
		if s.Max != nil && *s.Max < 200_000 {
			values["one character too many"] = strings.Repeat("a", int(*s.Max)+1)
		}
		if s.Min != nil && *s.Min > 0 {
			values["one character too few"] = strings.Repeat("a", int(*s.Min)-1)
		}
		if len(s.Enum) > 0 {
			values["a word that is none"] = "HORSE"
		}
		if s.pattern != nil && !s.pattern.MatchString("\x00 \x00") {
			values["a text that does not match"] = "\x00 \x00"
		}
	case "integer", "long":
		if s.Max != nil {
			values["a number that is too large"] = *s.Max + 1
		}
		if s.Min != nil {
			values["a number that is too small"] = *s.Min - 1
		}
	case "list":
		if s.Max != nil && *s.Max <= 1000 {
			items := make([]any, *s.Max+1)
			for i := range items {
				items[i] = example(ShapeOf(s.Item), 0)
			}
			values["an item too many"] = items
		}
		if s.Min != nil && *s.Min > 0 {
			values["an item too few"] = []any{}
		}
		for what, item := range broken(ShapeOf(s.Item)) {
			values["in a list: "+what] = []any{item}
		}
	case "map":
		key := example(ShapeOf(s.Key), 0).(string)
		for what, value := range broken(ShapeOf(s.Item)) {
			values["in a map: "+what] = map[string]any{key: value}
		}
	case "structure":
		valid := example(s, 0).(map[string]any)
		with := func(name string, value any) map[string]any {
			changed := maps.Clone(valid)
			if changed[name] = value; value == nil {
				delete(changed, name)
			}
			return changed
		}
		for _, name := range s.Required {
			values["without "+name] = with(name, nil)
		}
		for _, m := range s.Members {
			for what, value := range broken(ShapeOf(m[1])) {
				values[m[0]+": "+what] = with(m[0], value)
			}
		}
	}
	return values
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{`{}`, `{"UserPoolId":"x"}`, `null`, `{"UserAttributes":[{"Name":"email"},null]}`, `{"ClientMetadata":{"a":null}}`, `{"Policies":{"PasswordPolicy":[]}}`} {
		for i := range Operations() {
			if i%20 == 0 {
				f.Add(uint8(i), []byte(seed))
			}
		}
	}
	f.Fuzz(func(t *testing.T, operation uint8, body []byte) {
		all := Operations()
		faults, err := Validate(all[int(operation)%len(all)], body)
		if err != nil && faults != nil {
			t.Error("faults beside an error")
		}
	})
}
