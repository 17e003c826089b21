package awssecret_test

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret/awssecret"
)

// A client secret that Cognito keeps in AWS Secrets Manager, and replaces every seven days.
func Example() {
	aws, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:web-Ab12Cd"
	source, err := awssecret.New(awssecret.Config{ARN: arn, Client: secretsmanager.NewFromConfig(aws)})
	if err != nil {
		log.Fatal(err)
	}
	_ = cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "2example3client4", ClientSecretARN: arn, Secrets: source}
}
