package localpool_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// accepts reports whether the token endpoint takes a secret of a client: it says so
// before it looks at the code.
func (c *contract) accepts(client, secret string) bool {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), "POST", c.url+"/oauth2/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {"none"}, "redirect_uri": {"http://localhost:8080/cb"},
	}.Encode()))
	c.ok(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, secret)
	return c.send(r).json["error"] != "invalid_client"
}

func (c *contract) secretsManager() *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(c.url), Retryer: aws.NopRetryer{}, HTTPClient: whole{c.client},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "none"}, nil
		}),
	})
}

// TestAPI_TwoSecrets follows a rotation by hand: add, roll out, delete.
func TestAPI_TwoSecrets(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	made, err := client.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{UserPoolId: aws.String(shop), ClientName: aws.String("two"), GenerateSecret: true})
	c.ok(err)
	id, first := made.UserPoolClient.ClientId, *made.UserPoolClient.ClientSecret
	added, err := client.AddUserPoolClientSecret(ctx, &cip.AddUserPoolClientSecretInput{UserPoolId: aws.String(shop), ClientId: id})
	c.ok(err)
	second := aws.ToString(added.ClientSecretDescriptor.ClientSecretValue)
	if !c.accepts(*id, first) || !c.accepts(*id, second) || c.accepts(*id, second+"x") {
		t.Error("the pool takes another secret, or not both of them")
	}
	_, err = client.AddUserPoolClientSecret(ctx, &cip.AddUserPoolClientSecretInput{UserPoolId: aws.String(shop), ClientId: id})
	c.refused(err, "LimitExceededException", "two")
	listed, err := client.ListUserPoolClientSecrets(ctx, &cip.ListUserPoolClientSecretsInput{UserPoolId: aws.String(shop), ClientId: id})
	c.ok(err)
	if len(listed.ClientSecrets) != 2 || listed.ClientSecrets[0].ClientSecretValue != nil || listed.ClientSecrets[1].ClientSecretCreateDate.IsZero() ||
		*listed.ClientSecrets[0].ClientSecretId == *listed.ClientSecrets[1].ClientSecretId {
		t.Errorf("secrets %+v, want two without values", listed.ClientSecrets)
	}
	drop := func(i int) error {
		_, err := client.DeleteUserPoolClientSecret(ctx, &cip.DeleteUserPoolClientSecretInput{UserPoolId: aws.String(shop), ClientId: id, ClientSecretId: listed.ClientSecrets[i].ClientSecretId})
		return err
	}
	c.ok(drop(0))
	if c.accepts(*id, first) || !c.accepts(*id, second) {
		t.Error("the deleted secret is taken, or the other is not")
	}
	c.refused(drop(0), "ResourceNotFoundException", "")
	c.refused(drop(1), "InvalidParameterException", "last")
	own := strings.Repeat("own+", 6)
	added, err = client.AddUserPoolClientSecret(ctx, &cip.AddUserPoolClientSecretInput{UserPoolId: aws.String(shop), ClientId: id, ClientSecret: &own})
	c.ok(err)
	if added.ClientSecretDescriptor.ClientSecretValue != nil || !c.accepts(*id, own) {
		t.Errorf("own secret: %+v", added.ClientSecretDescriptor)
	}
}

// TestAPI_SecretsManager follows a secret that Cognito keeps in Secrets Manager.
func TestAPI_SecretsManager(t *testing.T) {
	c := newContract(t)
	vault, ctx := c.secretsManager(), t.Context()
	made := c.call("CreateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientName":"kept","GenerateSecret":true,"PublishSecretsInAWSSecretsManager":true}`)
	described, _ := made.json["UserPoolClient"].(map[string]any)
	arn, _ := described["ClientSecretArn"].(string)
	id, _ := described["ClientId"].(string)
	if _, shown := described["ClientSecret"]; shown || !strings.Contains(arn, ":secret:") {
		t.Fatalf("client %v, want an ARN in place of the secret", described)
	}
	read := func(stage string) (secret string, err error) {
		out, err := vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String(stage)})
		if err != nil {
			return "", err
		}
		var text map[string]string
		c.ok(json.Unmarshal([]byte(*out.SecretString), &text))
		if text["userPoolId"] != shop || text["userPoolClientId"] != id || out.VersionStages[0] != stage || len(*out.VersionId) < 32 {
			t.Errorf("secret %v of version %s, want one of client %s", text, *out.VersionId, id)
		}
		return text["clientSecretValue"], nil
	}
	first, err := read("AWSCURRENT")
	c.ok(err)
	// The first rotation was at once: nobody has seen the secret of before.
	if previous, err := read("AWSPREVIOUS"); err != nil || previous == first {
		t.Errorf("secret of before the first rotation = %q, %v", previous, err)
	}
	for range 2 {
		c.ahead.Add(int64(3 * 24 * time.Hour))
		_, err = vault.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &arn})
		c.ok(err)
		current, err := read("AWSCURRENT")
		c.ok(err)
		previous, err := read("AWSPREVIOUS")
		c.ok(err)
		if previous != first || current == first || !c.accepts(id, current) || !c.accepts(id, previous) {
			t.Errorf("after a rotation: current %s, previous %s, was %s; or the pool does not take both", current, previous, first)
		}
		first = current
	}
	for _, name := range []string{arn, arn[:len(arn)-7], "cognito!client-" + id} {
		out, err := vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil || *out.ARN != arn || !strings.Contains(*out.SecretString, first) {
			t.Errorf("secret by %q: %+v, %v", name, out, err)
		}
	}
	_, err = vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn[:len(arn)-1])})
	c.refused(err, "ResourceNotFoundException", "")
	off := c.call("UpdateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+id+`","PublishSecretsInAWSSecretsManager":false}`)
	described, _ = off.json["UserPoolClient"].(map[string]any)
	if described["ClientSecretArn"] != nil || described["ClientSecret"] != first || described["ClientName"] != "kept" {
		t.Errorf("client that is no longer kept there = %v, want its secret", described)
	}
	_, err = read("AWSCURRENT")
	c.refused(err, "ResourceNotFoundException", "")
	on := c.call("UpdateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+id+`","PublishSecretsInAWSSecretsManager":true}`)
	described, _ = on.json["UserPoolClient"].(map[string]any)
	arn, _ = described["ClientSecretArn"].(string)
	if current, err := read("AWSCURRENT"); err != nil || current == first {
		t.Errorf("kept there again: secret %s, %v, want a new one", current, err)
	}
	own := text(inner(c.ask("CreateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientName":"own","ClientSecret":"chosen1by2who3made4the5client"}`), "UserPoolClient", "ClientId"))
	c.no("UpdateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+own+`","ClientName":"renamed","PublishSecretsInAWSSecretsManager":true}`, "InvalidParameterException", "does not have a generated client secret")
	if d := c.ask("DescribeUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+own+`"}`); inner(d, "UserPoolClient", "ClientName") != "own" {
		t.Errorf("a refused call changed the client: %v", d)
	}
	if none := c.call("UpdateUserPoolClient", `{"UserPoolId":"local_Other1","ClientId":"elsewhere","PublishSecretsInAWSSecretsManager":true}`); none.status != 400 {
		t.Errorf("client without a secret: status %d, want a refusal", none.status)
	}
}

// managed reads a secret of Secrets Manager.
func (c *contract) managed(arn, stage string) string {
	c.Helper()
	out, err := c.secretsManager().GetSecretValue(c.Context(), &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: &stage})
	c.ok(err)
	var text struct{ ClientSecretValue string }
	c.ok(json.Unmarshal([]byte(*out.SecretString), &text))
	return text.ClientSecretValue
}

// TestS768_SecretsRotateByThemselves: a secret in Secrets Manager is replaced every seven
// days, also while nobody asks for it; the one of before works, and no older one.
func TestS768_SecretsRotateByThemselves(t *testing.T) {
	c := newContract(t)
	vault, ctx := c.secretsManager(), t.Context()
	made := c.ask("CreateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientName":"kept","GenerateSecret":true,"PublishSecretsInAWSSecretsManager":true}`)
	arn, id := text(inner(made, "UserPoolClient", "ClientSecretArn")), text(inner(made, "UserPoolClient", "ClientId"))
	after := func(d time.Duration) { c.ahead.Add(int64(d)) }
	const week = 7 * 24 * time.Hour

	first := c.managed(arn, "AWSCURRENT")
	if after(week - time.Hour); c.managed(arn, "AWSCURRENT") != first {
		t.Error("replaced before it was due")
	}
	after(time.Hour + time.Minute)
	if !c.accepts(id, first) { // nobody has asked for the new one yet
		t.Error("the secret of before is refused")
	}
	second := c.managed(arn, "AWSCURRENT")
	if second == first || c.managed(arn, "AWSPREVIOUS") != first || !c.accepts(id, second) {
		t.Errorf("after a week: %s, before %s", second, c.managed(arn, "AWSPREVIOUS"))
	}
	after(week)
	if c.accepts(id, first) || !c.accepts(id, second) {
		t.Error("after two weeks an older secret than the one of before is taken, or that one is not")
	}
	third := c.managed(arn, "AWSCURRENT")
	after(40 * week)
	if c.accepts(id, third) || c.accepts(id, second) || c.accepts(id, first) {
		t.Error("after forty weeks a secret of then is taken")
	}
	current := c.managed(arn, "AWSCURRENT")
	b, err := c.pool.Snapshot()
	c.ok(err)
	c.ok(c.pool.Restore(b))
	if c.managed(arn, "AWSCURRENT") != current {
		t.Error("a restart rotates")
	}
	after(-50 * week)
	if c.managed(arn, "AWSCURRENT") != current {
		t.Error("a clock that goes back rotates")
	}
	after(50 * week)

	// The schedule is told, and can be another.
	described, err := vault.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	c.ok(err)
	if *described.ARN != arn || *described.Name != "cognito!client-"+id || !*described.RotationEnabled || *described.RotationRules.AutomaticallyAfterDays != 7 ||
		described.NextRotationDate.Sub(*described.LastRotatedDate) != week || len(described.VersionIdsToStages) != 2 {
		t.Errorf("described = %+v", described)
	}
	versions, err := vault.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: &arn})
	c.ok(err)
	for _, v := range versions.Versions {
		out, err := vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionId: v.VersionId})
		if err != nil || out.VersionStages[0] != v.VersionStages[0] || described.VersionIdsToStages[*v.VersionId][0] != v.VersionStages[0] {
			t.Errorf("version %+v: %+v, %v", v, out, err)
		}
	}
	other := "AWSPREVIOUS"
	if versions.Versions[0].VersionStages[0] == other {
		other = "AWSCURRENT"
	}
	_, err = vault.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionId: versions.Versions[0].VersionId, VersionStage: &other})
	c.refused(err, "ResourceNotFoundException", "")
	_, err = vault.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &arn, RotateImmediately: aws.Bool(false), RotationRules: &types.RotationRulesType{ScheduleExpression: aws.String("rate(12 hours)")}})
	c.ok(err)
	if c.managed(arn, "AWSCURRENT") != current {
		t.Error("another schedule rotates at once")
	}
	if after(13 * time.Hour); c.managed(arn, "AWSPREVIOUS") != current {
		t.Error("the other schedule is not kept to")
	}
	for _, rules := range []types.RotationRulesType{
		{AutomaticallyAfterDays: aws.Int64(0)}, {AutomaticallyAfterDays: aws.Int64(1001)}, {ScheduleExpression: aws.String("rate(3 hours)")}, {ScheduleExpression: aws.String("rate(1001 days)")},
		{ScheduleExpression: aws.String("cron(0 8 1 * ? *)")}, {AutomaticallyAfterDays: aws.Int64(3), ScheduleExpression: aws.String("rate(3 days)")},
	} {
		_, err = vault.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &arn, RotationRules: &rules})
		c.refused(err, "InvalidParameterException", "")
	}
	_, err = vault.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: &arn, RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:123456789012:function:x")})
	c.refused(err, "InvalidParameterException", "Cognito rotates this secret")
	current = c.managed(arn, "AWSCURRENT")
	for _, operation := range []string{"GetSecretValue", "DescribeSecret", "ListSecretVersionIds", "RotateSecret"} {
		for body, kind := range map[string]string{`{}`: "ValidationException", `{"SecretId":""}`: "ValidationException", `{"SecretId":"x"}`: "ResourceNotFoundException", `{"SecretId":7}`: "SerializationException", `[]`: "SerializationException"} {
			if a := c.call("x", body, "X-Amz-Target", "secretsmanager."+operation); a.status != 400 || a.json["__type"] != kind {
				t.Errorf("%s %s: %d %s", operation, body, a.status, a.body)
			}
		}
	}
	if c.managed(arn, "AWSCURRENT") != current {
		t.Error("a refused call rotated")
	}
}

// TestSecrets_TheOlderGoes: a client with two secrets, whose secret is to be in Secrets
// Manager, loses the older one.
func TestSecrets_TheOlderGoes(t *testing.T) {
	c := newContract(t)
	made := c.ask("CreateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientName":"two","GenerateSecret":true}`)
	id, older := text(inner(made, "UserPoolClient", "ClientId")), text(inner(made, "UserPoolClient", "ClientSecret"))
	added := c.ask("AddUserPoolClientSecret", `{"UserPoolId":"`+shop+`","ClientId":"`+id+`"}`)
	newer := text(inner(added, "ClientSecretDescriptor", "ClientSecretValue"))
	on := c.ask("UpdateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+id+`","PublishSecretsInAWSSecretsManager":true}`)
	if arn := text(inner(on, "UserPoolClient", "ClientSecretArn")); c.managed(arn, "AWSPREVIOUS") != newer || c.accepts(id, older) || !c.accepts(id, newer) {
		t.Errorf("the older one is kept, or the newer one is not: %s", c.managed(arn, "AWSPREVIOUS"))
	}
}

// TestS768_NobodyElseChangesManagedSecrets: what is current in Secrets Manager works after a
// rotation, because the API changes no secret that is there.
func TestS768_NobodyElseChangesManagedSecrets(t *testing.T) {
	c := newContract(t)
	made := c.ask("CreateUserPoolClient", `{"UserPoolId":"`+shop+`","ClientName":"kept","GenerateSecret":true,"PublishSecretsInAWSSecretsManager":true}`)
	arn, id := text(inner(made, "UserPoolClient", "ClientSecretArn")), text(inner(made, "UserPoolClient", "ClientId"))
	client := `{"UserPoolId":"` + shop + `","ClientId":"` + id + `"`
	all, _ := c.ask("ListUserPoolClientSecrets", client+`}`)["ClientSecrets"].([]any)
	if len(all) != 2 {
		t.Fatalf("the client has %v", all)
	}
	for _, one := range all {
		c.no("DeleteUserPoolClientSecret", client+`,"ClientSecretId":"`+text(one.(map[string]any)["ClientSecretId"])+`"}`, "InvalidParameterException", "Secrets Manager")
	}
	c.no("AddUserPoolClientSecret", client+`}`, "InvalidParameterException", "Secrets Manager")
	current := c.managed(arn, "AWSCURRENT")
	_, err := c.secretsManager().RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &arn})
	c.ok(err)
	if previous := c.managed(arn, "AWSPREVIOUS"); previous != current || !c.accepts(id, current) {
		t.Errorf("what was current is the one of before: %v, and works: %v", previous == current, c.accepts(id, current))
	}
	// Once Secrets Manager has it no more, people rotate by hand.
	c.ask("UpdateUserPoolClient", client+`,"PublishSecretsInAWSSecretsManager":false}`)
	list := c.ask("ListUserPoolClientSecrets", client+`}`)["ClientSecrets"].([]any)
	c.ask("DeleteUserPoolClientSecret", client+`,"ClientSecretId":"`+text(list[1].(map[string]any)["ClientSecretId"])+`"}`)
}
