package awssecret_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret/awssecret"
)

// manager is AWS Secrets Manager. A program has secretsmanager.NewFromConfig in its place.
type manager map[string]string // by version stage

func (m manager) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	value := m[*in.VersionStage]
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// A client secret that Cognito keeps in AWS Secrets Manager, and replaces every seven days.
func Example() {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:web-Ab12Cd"
	source, err := awssecret.New(awssecret.Config{ARN: arn, Client: manager{"AWSCURRENT": "of-this-week", "AWSPREVIOUS": "of-last-week"}})
	if err != nil {
		log.Fatal(err)
	}
	pool := cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "2example3client4", ClientSecretARN: arn, Secrets: source}
	secrets, err := pool.Secrets.Secrets(context.Background(), false)
	fmt.Println("secrets to send:", len(secrets), err)
	// Output: secrets to send: 1 <nil>
}
