// Command arrive is the trigger of a user pool that people move to: a Lambda function for
// UserMigration and PreTokenGeneration. Outside Lambda it listens, for pools of codegrant
// pool. See docs/move.md.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/move"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	arrival, err := open(ctx, os.Getenv)
	cancel()
	if err != nil {
		log.Fatal(err)
	}
	if listen := os.Getenv("LISTEN"); listen != "" { // such as 127.0.0.1:3000
		server := &http.Server{Addr: listen, Handler: handler(arrival), ReadHeaderTimeout: 5 * time.Second}
		log.Fatal(server.ListenAndServe())
	}
	lambda.Start(arrival.Handle)
}

// open makes the trigger of environment variables.
func open(ctx context.Context, get func(string) string) (*move.Arrival, error) {
	own, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	key, err := secretOf(ctx, get("CODEGRANT_MOVE_KEY"), get("CODEGRANT_MOVE_KEY_ARN"), func(ctx context.Context, arn string) (string, error) {
		out, err := secretsmanager.NewFromConfig(own).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
		if err != nil {
			return "", err
		}
		if out.SecretString == nil {
			return "", errors.New("the secret is binary; keep the key in it as text")
		}
		return *out.SecretString, nil
	})
	if err != nil {
		return nil, err
	}
	tickets, err := move.NewTickets(key, get("OLD_POOL"), get("NEW_POOL"))
	if err != nil {
		return nil, err
	}
	tickets.Providers = list(get("PROVIDERS"))
	// Each pool in its own Region; an endpoint is for pools of codegrant pool.
	client := func(as aws.Config, pool, endpoint string) *cip.Client {
		return cip.NewFromConfig(as, func(o *cip.Options) {
			o.Region, _, _ = strings.Cut(pool, "_")
			if endpoint != "" {
				o.BaseEndpoint = &endpoint
			}
		})
	}
	old := own
	if role := get("OLD_ROLE_ARN"); role != "" { // of another account
		old.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(own), role))
	}
	return move.NewArrival(move.ArrivalConfig{
		Old: client(old, get("OLD_POOL"), get("OLD_ENDPOINT")), New: client(own, get("NEW_POOL"), get("NEW_ENDPOINT")), Tickets: tickets,
		OldClientID: get("OLD_CLIENT_ID"), OldClientSecret: cognito.Secret(get("OLD_CLIENT_SECRET")),
		WithoutSecondFactor: get("CODEGRANT_WITHOUT_SECOND_FACTOR") == "true", ForgotPassword: get("CODEGRANT_FORGOT_PASSWORD") == "true",
		// Without these, each start of the function asks the new pool for them.
		Attributes: strings.FieldsFunc(get("NEW_POOL_ATTRIBUTES"), func(r rune) bool { return r == ',' || r == ' ' }), ByAddress: get("NEW_POOL_BY_ADDRESS") == "true",
		Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	})
}

// list is of names with commas between them. A name of a provider can have blanks.
func list(names string) (all []string) {
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// secretOf is the key of the move: a value, or one that Secrets Manager has.
func secretOf(ctx context.Context, value, arn string, ask func(context.Context, string) (string, error)) ([]byte, error) {
	if value == "" && arn != "" {
		var err error
		if value, err = ask(ctx, arn); err != nil {
			return nil, err
		}
	}
	return base64.StdEncoding.DecodeString(strings.TrimSpace(value))
}

// handler answers as codegrant pool asks.
func handler(arrival *move.Arrival) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the event is too large", http.StatusRequestEntityTooLarge)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer, err := arrival.Handle(r.Context(), event)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"errorMessage": err.Error()})
			return
		}
		_, _ = w.Write(answer)
	})
}
