// Package awssecret reads the client secret of an app client from AWS Secrets Manager,
// where Cognito keeps it for app clients that are made in the AWS console, and replaces
// it every seven days.
//
//	aws, err := config.LoadDefaultConfig(ctx)
//	source, err := awssecret.New(awssecret.Config{
//		ARN:    pool.ClientSecretARN,
//		Client: secretsmanager.NewFromConfig(aws),
//	})
//	pool.Secrets = source
//
// It calls secretsmanager:GetSecretValue and nothing else. A secret that is encrypted
// with a key of your own needs kms:Decrypt too. It is a package of its own so that a
// program that imports package codegrant compiles no AWS SDK.
package awssecret
