#!/usr/bin/env bash
# One would guess: the newest Go SDK shows all that DescribeUserPoolClient answers, as the
# newest Python SDK of the same days does.
#
# What happens: an app client whose secret is kept in Secrets Manager is described with
# ClientSecretArn in place of ClientSecret. The Go SDK has no such member and drops it
# without a word. A Go program sees an app client without a secret, which is what a public
# client looks like.
#
# Who meets it: whoever reads app clients with the Go SDK, such as tools that decide from
# an empty ClientSecret that a client is public. App clients made in the AWS console keep
# their secret so by default.
#
# github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider v1.61.0, botocore 1.44.8.
# Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check botocore==1.44.8
cat >described.py <<'PY'
import botocore.session
shape = botocore.session.get_session().get_service_model("cognito-idp").shape_for("UserPoolClientType")
print("ClientSecretArn" in shape.members)
PY
python=$(venv/bin/python described.py)

mkdir program
cd program
cat >go.mod <<'MOD'
module example.com/described

go 1.24
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, `{"UserPoolClient":{"ClientId":"c1","ClientSecretArn":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}}`)
	}))
	defer server.Close()
	client := cip.New(cip.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}})
	out, err := client.DescribeUserPoolClient(context.Background(), &cip.DescribeUserPoolClientInput{UserPoolId: aws.String("eu-west-1_x"), ClientId: aws.String("c1")})
	if err != nil {
		panic(err)
	}
	_, has := reflect.TypeOf(*out.UserPoolClient).FieldByName("ClientSecretArn")
	fmt.Println(has, out.UserPoolClient.ClientSecret == nil)
}
GO
go get github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider@v1.61.0 2>/dev/null
go=$(GOFLAGS=-mod=mod go run .)

echo "botocore 1.44.8 knows ClientSecretArn: $python"
echo "cognitoidentityprovider v1.61.0 has the member, and shows no secret: $go"
[ "$python" = True ] && [ "$go" = "false true" ]
