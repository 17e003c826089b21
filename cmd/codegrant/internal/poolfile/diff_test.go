package poolfile

import (
	"slices"
	"testing"
)

func parsed(t *testing.T, text string) *File {
	t.Helper()
	f, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCompareNamesAdditions: what only the pool has of a thing that the file has is a
// difference, and nothing that is to be changed.
func TestCompareNamesAdditions(t *testing.T) {
	file := parsed(t, `
pool: {Name: p, SchemaAttributes: [{Name: email}]}
clients: {web: {AllowedOAuthFlows: [code]}}
identity_providers: {Corp: {ProviderType: OIDC, AttributeMapping: {email: email}}}
`)
	pool := parsed(t, `
pool: {Name: p, LambdaConfig: {PreTokenGeneration: 'arn:aws:lambda:eu-west-1:1:function:added'}, SchemaAttributes: [{Name: email}, {Name: 'custom:a'}]}
mfa: {MfaConfiguration: 'ON'}
domain: {Domain: d}
clients: {web: {AllowedOAuthFlows: [code], ExplicitAuthFlows: [ALLOW_USER_PASSWORD_AUTH]}}
identity_providers: {Corp: {ProviderType: OIDC, AttributeMapping: {email: email, email_verified: anything}}}
`)
	var got []string
	for _, d := range Compare(pool, file) {
		got = append(got, d.String())
	}
	want := []string{
		`attribute custom:a: {"Name":"custom:a"} (only the pool has it: the file does not say it)`,
		`pool: LambdaConfig: {"PreTokenGeneration":"arn:aws:lambda:eu-west-1:1:function:added"} (only the pool has it: the file does not say it)`,
		`identity provider Corp: AttributeMapping.email_verified: "anything" (only the pool has it: the file does not say it)`,
		`client web: ExplicitAuthFlows: ["ALLOW_USER_PASSWORD_AUTH"] (only the pool has it: the file does not say it)`,
		`mfa: {"MfaConfiguration":"ON"} -> nothing (not changed: only the pool has it, and nothing is removed)`,
		`domain: {"Domain":"d"} -> nothing (not changed: only the pool has it, and nothing is removed)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("it says\n%q, want\n%q", got, want)
	}
	if d := Compare(pool, pool); len(d) > 0 {
		t.Errorf("a pool differs from itself: %v", d)
	}
}

// TestCompareTakesEmptyForNothing: a pool leaves out what was set to nothing.
func TestCompareTakesEmptyForNothing(t *testing.T) {
	file := parsed(t, "pool: {}\nclients: {web: {AllowedOAuthFlows: [code], LogoutURLs: []}}\ngroups: {a: {Precedence: 1, Description: ''}}\n")
	if d := Compare(parsed(t, "pool: {}\nclients: {web: {AllowedOAuthFlows: [code]}}\ngroups: {a: {Precedence: 1}}\n"), file); len(d) > 0 {
		t.Errorf("after it was applied: %v", d)
	}
	if d := Compare(parsed(t, "pool: {}\nclients: {web: {AllowedOAuthFlows: [code], LogoutURLs: [a]}}\ngroups: {a: {Precedence: 1, Description: b}}\n"), file); len(d) != 2 || d[0].Kept+d[1].Kept != "" {
		t.Errorf("before: %v", d)
	}
}

// TestCompareKeepsWhatIsFixed: so is a part of a setting that is fixed.
func TestCompareKeepsWhatIsFixed(t *testing.T) {
	d := Compare(parsed(t, "pool: {UsernameConfiguration: {CaseSensitive: false}}\n"), parsed(t, "pool: {UsernameConfiguration: {CaseSensitive: true}}\n"))
	if len(d) != 1 || d[0].Field != "UsernameConfiguration.CaseSensitive" || d[0].Kept != "it is fixed when it is created" {
		t.Errorf("the plan is %v", d)
	}
}
