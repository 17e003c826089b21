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
	_, err = read("AWSPREVIOUS")
	c.refused(err, "ResourceNotFoundException", "")
	for range 2 {
		c.ahead.Add(int64(7 * 24 * time.Hour))
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
	if none := c.call("UpdateUserPoolClient", `{"UserPoolId":"local_Other1","ClientId":"elsewhere","PublishSecretsInAWSSecretsManager":true}`); none.status != 400 {
		t.Errorf("client without a secret: status %d, want a refusal", none.status)
	}
}
