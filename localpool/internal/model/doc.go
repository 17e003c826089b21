// Package model knows what the AWS API of user pools takes: every operation, the members
// of its input and output, which of them are required, their lengths, patterns and enums,
// which no message may show, and which operations need no signature. It refuses requests
// that do not fit, in the words of the service, and says nothing about what an operation
// does.
//
// The facts are a table, facts.json, made from AWS's own model of the service:
//
//	pip download --no-deps botocore==1.44.8
//	unzip botocore-*.whl 'botocore/data/cognito-idp/*'
//	go run ./localpool/internal/model/generate botocore/data/cognito-idp/2016-04-18/service-2.json.gz
//
// Where the live service is known to differ from its model, live.go says so.
package model
