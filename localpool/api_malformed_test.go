package localpool_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/model"
)

// knownValues are of members that name something that is there.
type knownValues map[string]any

// candidates are texts of which one fits most patterns.
var candidates = []string{
	"abc", "x", "arn:aws:iam::123456789012:role/x", "https://a.example.com/x", "12345678-1234-4234-8234-123456789012", "123456", "eu-west-1", "a.example.com",
	"eu-west-1_1234abcd-1234-4234-8234-1234567890ab", "1", "en", "abcdefghijklmnopqrstuvwxyz", "Passw0rd!", "#000000",
}

// sample is a value of a type of the model that the service would take, as far as the model
// says.
func (k knownValues) sample(name, shape string, depth int) any {
	if v, ok := k[name]; ok {
		return v
	}
	s := model.ShapeOf(shape)
	switch {
	case s == nil || depth > 6:
		return "x"
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.Type {
	case "structure":
		out := make(map[string]any)
		for _, m := range s.Members {
			if slices.Contains(s.Required, m[0]) {
				out[m[0]] = k.sample(m[0], m[1], depth+1)
			}
		}
		return out
	case "list":
		return []any{k.sample("", s.Item, depth+1)}
	case "map":
		return map[string]any{fmt.Sprint(k.sample("", s.Key, depth+1)): k.sample("", s.Item, depth+1)}
	case "integer", "long", "double":
		if s.Min != nil {
			return *s.Min
		}
		return 1
	case "boolean":
		return true
	case "timestamp":
		return 1796000000
	case "blob":
		return "AAAA"
	}
	pattern, err := regexp.Compile(`^(?:` + s.Pattern + `)$`)
	for _, text := range candidates {
		if s.Min != nil && int64(len(text)) < *s.Min {
			text += strings.Repeat("a", int(*s.Min)-len(text))
		}
		if (s.Max == nil || int64(len(text)) <= *s.Max) && (err != nil || s.Pattern == "" || pattern.MatchString(text)) {
			return text
		}
	}
	return "x"
}

// raw is a value that is no JSON of Go's, or another than it looks.
func raw(text string) json.RawMessage { return json.RawMessage(text) }

// wrong are values that a member does not have, and some that it may have.
func (k knownValues) wrong(name, shape string, depth int) []any {
	values := []any{nil, 1.5, "", []any{nil}, map[string]any{"x": nil}}
	if depth == 1 {
		values = append(values, 7, true, "x", -1, " ", "\x00", []any{}, map[string]any{}, raw(`1e400`), raw(`"\ud800"`), raw(`-9223372036854775809`))
	}
	s := model.ShapeOf(shape)
	if s == nil {
		return values
	}
	if s.Min != nil {
		values = append(values, *s.Min-1)
	}
	if s.Max != nil {
		values = append(values, *s.Max+1)
		if *s.Max < 5000 {
			values = append(values, strings.Repeat("ü", int(*s.Max)+1))
		}
	}
	if depth > 3 {
		return values
	}
	switch s.Type {
	case "structure":
		for _, m := range s.Members {
			for _, v := range k.wrong(m[0], m[1], depth+1) {
				one, _ := k.sample(name, shape, depth).(map[string]any)
				if one = maps.Clone(one); one != nil {
					one[m[0]] = v
					values = append(values, one)
				}
			}
		}
		if one, ok := k.sample(name, shape, depth).(map[string]any); ok {
			for member := range one {
				less := maps.Clone(one)
				delete(less, member)
				values = append(values, less)
			}
			more := maps.Clone(one)
			more["Horses"] = []any{1}
			values = append(values, more)
		}
	case "list":
		for _, v := range k.wrong("", s.Item, depth+1) {
			values = append(values, []any{v})
		}
		values = append(values, slices.Repeat([]any{k.sample("", s.Item, depth)}, 60))
	case "map":
		key := fmt.Sprint(k.sample("", s.Key, depth+1))
		for _, v := range k.wrong("", s.Item, depth+1) {
			values = append(values, map[string]any{key: v})
		}
		values = append(values, map[string]any{"": "x"}, map[string]any{strings.Repeat("k", 3000): "x"})
	}
	return values
}

// counted are operations that count wrong passwords and codes, which is a change, and that
// sign people in until the second answer is wrong.
var counted = []string{
	"InitiateAuth", "AdminInitiateAuth", "RespondToAuthChallenge", "AdminRespondToAuthChallenge", "ConfirmSignUp", "ConfirmForgotPassword", "VerifyUserAttribute",
	"VerifySoftwareToken", "ChangePassword",
}

// reads are operations that change nothing.
var reads = regexp.MustCompile(`^(List|Describe|AdminGet|AdminList)`)

// TestS807_MalformedRequests sends each operation each of its members wrong: missing, null,
// of another type, too long, too short, unknown. The answer is one that the model has for the
// operation, never a fault of the server, and what was refused has changed nothing.
func TestS807_MalformedRequests(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `"`
	c.ask("UpdateUserPool", `{`+pool+`,"UserPoolTier":"PLUS","AutoVerifiedAttributes":["email"],"DeviceConfiguration":{"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":false},"UserPoolAddOns":{"AdvancedSecurityMode":"AUDIT"},"IssuerConfiguration":{"Type":"UPDATED"},"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/x"}}`)
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SoftwareTokenMfaConfiguration":{"Enabled":true}}`)
	c.ask("CreateUserPoolDomain", `{`+pool+`,"Domain":"shop"}`)
	c.ask("SetUserPoolSessionConfiguration", `{`+pool+`,"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":20}}`)
	c.ask("CreateIdentityProvider", `{`+pool+`,"ProviderName":"Corp","ProviderType":"OIDC","ProviderDetails":{"client_id":"a","oidc_issuer":"https://id.example.com","authorize_scopes":"openid","attributes_request_method":"GET"},"IdpIdentifiers":["corp"]}`)
	in := c.ask("AdminInitiateAuth", `{`+pool+`,"ClientId":"app","AuthFlow":"ADMIN_USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"carol","PASSWORD":"Passw0rd!"}}`)
	client := pool + `,"ClientId":"app"`
	known := knownValues{
		"UserPoolId": shop, "ClientId": "app", "Username": "carol", "AccessToken": text(inner(in, "AuthenticationResult", "AccessToken")), "GroupName": "admins",
		"RefreshToken": text(inner(in, "AuthenticationResult", "RefreshToken")), "Token": text(inner(in, "AuthenticationResult", "RefreshToken")), "ProviderName": "Corp", "IdpIdentifier": "corp",
		"Identifier": "orders", "Domain": "shop", "ResourceArn": "arn:aws:cognito-idp:local:000000000000:userpool/" + shop, "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": map[string]any{"USERNAME": "carol", "PASSWORD": "Passw0rd!"}, "Password": "Passw0rd!", "ProposedPassword": "Passw0rd!2", "PreviousPassword": "Passw0rd!",
		"CloudWatchLogsRoleArn": "arn:aws:iam::123456789012:role/x", "ProviderDetails": map[string]any{"client_id": "a", "oidc_issuer": "https://id.example.com", "authorize_scopes": "openid", "attributes_request_method": "GET"},
		"TermsId":                text(inner(c.ask("CreateTerms", `{`+client+`,"TermsName":"terms-of-use","TermsSource":"LINK","Enforcement":"NONE","Links":{"cognito:default":"https://example.com/terms"}}`), "Terms", "TermsId")),
		"ManagedLoginBrandingId": text(inner(c.ask("CreateManagedLoginBranding", `{`+client+`,"UseCognitoProvidedValues":true}`), "ManagedLoginBranding", "ManagedLoginBrandingId")),
		"CIMDPolicyId":           text(inner(c.ask("CreateCIMDPolicy", `{`+client+`,"PolicyName":"tools","URLPatterns":["https://tools.example.com/*"]}`), "CIMDPolicy", "CIMDPolicyId")),
		"JobId":                  text(inner(c.ask("CreateUserImportJob", `{`+pool+`,"JobName":"x","CloudWatchLogsRoleArn":"arn:aws:iam::123456789012:role/x"}`), "UserImportJob", "JobId")),
		"AttributesToGet":        []any{"email"}, "UserAttributeNames": []any{"name"}, "URLPatterns": []any{"https://tools.example.com/*"},
		"UserAttributes": []any{map[string]any{"Name": "name", "Value": "Carol"}}, "CallbackURLs": []any{"https://a.example.com/cb"},
	}
	whole, err := c.pool.Snapshot()
	c.ok(err)
	c.ok(c.pool.Restore(whole))
	before, err := c.pool.Snapshot()
	c.ok(err)
	requests, refusals := 0, 0
	unchanged := func(operation, what string) {
		after, err := c.pool.Snapshot()
		c.ok(err)
		if string(after) == string(before) {
			return
		}
		if !slices.Contains(counted, operation) {
			t.Errorf("%s has changed something: %s", operation, what)
		}
		c.ok(c.pool.Restore(whole))
	}
	send := func(operation string, value map[string]any) {
		body, err := json.Marshal(value)
		c.ok(err)
		requests++
		r := httptest.NewRequestWithContext(t.Context(), "POST", c.url+"/", strings.NewReader(string(body)))
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		short := string(body[:min(len(body), 700)])
		if w.Code == 200 {
			if !reads.MatchString(operation) {
				c.ok(c.pool.Restore(whole))
			}
			return
		}
		refusals++
		var answer struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: %d %s", operation, short, w.Code, w.Body)
		}
		of, _ := model.Lookup(operation)
		if w.Code != 400 || !slices.Contains(of.Errors, answer.Type) && answer.Type != "SerializationException" && answer.Type != "InvalidParameterException" {
			t.Errorf("%s %s: %d %s", operation, short, w.Code, w.Body)
		}
		// What the model refuses does not come as far as the operation.
		if answer.Type != "SerializationException" && !strings.Contains(answer.Message, "validation error") && !reads.MatchString(operation) {
			unchanged(operation, short+" was refused: "+answer.Message)
		}
	}
	for _, operation := range model.Operations() {
		of, _ := model.Lookup(operation)
		base, _ := known.sample("", of.Input, 0).(map[string]any)
		send(operation, base)
		more := maps.Clone(base)
		more["Horses"] = map[string]any{"x": []any{nil}}
		send(operation, more)
		for member := range base {
			less := maps.Clone(base)
			delete(less, member)
			send(operation, less)
		}
		for _, m := range model.ShapeOf(of.Input).Members {
			for _, v := range known.wrong(m[0], m[1], 1) {
				one := maps.Clone(base)
				one[m[0]] = v
				send(operation, one)
			}
		}
		unchanged(operation, "all that was sent, of which what was taken was undone")
	}
	if requests < 6_000 || refusals < requests/2 {
		t.Errorf("%d requests, of which %d were refused: the model was not walked", requests, refusals)
	}
}
