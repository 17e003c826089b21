package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
)

const awsIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// awsRecorder stands for AWS: it refuses almost everything, and remembers what was asked.
type awsRecorder struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // AKID/Region/service operation
}

func newAWSRecorder(t *testing.T) *awsRecorder {
	r := new(awsRecorder)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, operation, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
		who, _, _ := strings.Cut(strings.TrimPrefix(q.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/aws4_request")
		if scope := strings.Split(who, "/"); len(scope) == 4 { // without its date
			who = scope[0] + "/" + scope[2] + "/" + scope[3]
		}
		r.mu.Lock()
		r.asked = append(r.asked, who+" "+operation)
		r.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if operation == "DescribeUserPool" { // the first of many, which say the rest
			fmt.Fprint(w, `{"UserPool":{}}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"NotAuthorizedException","message":"this is no AWS"}`)
	}))
	t.Cleanup(r.Close)
	return r
}

// take returns what was asked since it was last called.
func (r *awsRecorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

// TestEveryCommandAsksWhereTheSDKIsSent: AWS_ENDPOINT_URL, the variable of a service, and
// endpoint_url of a profile, send the calls of every command that asks AWS to another place.
// The credentials and the Region are those of the settings.
func TestEveryCommandAsksWhereTheSDKIsSent(t *testing.T) {
	dir := t.TempDir()
	config, pool := filepath.Join(dir, "codegrant.yaml"), filepath.Join(dir, "pool.yaml")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pool, "pool: {}\n")
	base := `
base_url: https://app.example.com
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
sessions: database
database: sqlite:` + filepath.Join(dir, "app.db") + `
replica: {history: 240h}
pools:
  - id: eu-west-1_Ab12Cd34E
    domain: acme.auth.eu-west-1.amazoncognito.com
    client_id: c1
`
	moved := fmt.Sprintf("    moved_from: {id: eu-central-1_Old00001, client_id: ask, key: %q}\n", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	write(config, base)
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, stderr, status := commandtest.Say(t, new(cli), "migrate", "--config", config); status != 0 {
		t.Fatal(stderr)
	}
	enabled := true
	if _, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: awsIssuer, Subject: "sub-1", Username: "alice", GroupsKnown: true, Enabled: &enabled, At: time.Now()}); err != nil {
		t.Fatal(err)
	}

	at := newAWSRecorder(t)
	never := newAWSRecorder(t)
	for _, name := range os.Environ() {
		if name, value, _ := strings.Cut(name, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "CODEGRANT_") && !strings.HasPrefix(name, "CODEGRANT_TEST") {
			t.Setenv(name, value) // so that it comes back
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "aws"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "none")
	// A call that goes to Amazon after all ends at a proxy that lets nothing out.
	t.Setenv("HTTPS_PROXY", never.URL)

	const ours = "AKIDEXAMPLE/eu-west-1/cognito-idp "
	commands := []struct {
		args  []string
		more  string // of the configuration
		asks  string // what it begins with
		asks2 string // what it asks another place
	}{
		{[]string{"sync", "--full"}, "", ours + "ListGroups", ""},
		{[]string{"sync", "--follow", "--queue", "https://sqs.eu-west-1.amazonaws.com/123456789012/events"}, "", "AKIDEXAMPLE/eu-west-1/sqs GetQueueAttributes", ""},
		{[]string{"users", "erase", "alice", "--at-pool", "--yes"}, "", ours + "AdminGetUser", ""},
		{[]string{"sessions", "end", "--user", "alice"}, "", ours + "AdminUserGlobalSignOut", ""},
		{[]string{"restore", "--whole-pool", "--as-of", "1h"}, "", ours + "ListPointInTimeRecoveries", ""},
		{[]string{"move", "plan"}, moved, ours + "DescribeUserPool", "AKIDEXAMPLE/eu-central-1/cognito-idp DescribeUserPool"},
		{[]string{"pool", "export", "--pool-id", "eu-west-1_Ab12Cd34E"}, "", ours + "DescribeUserPool", ""},
		{[]string{"pool", "diff", "--pool-id", "eu-west-1_Ab12Cd34E", "--file", pool}, "", ours + "DescribeUserPool", ""},
		{[]string{"pool", "apply", "--pool-id", "eu-west-1_Ab12Cd34E", "--file", pool}, "", ours + "DescribeUserPool", ""},
		{[]string{"token", "get"}, "    client_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:%s-AbCdEf\n", "AKIDEXAMPLE/eu-west-1/secretsmanager GetSecretValue", ""},
	}
	variable := map[string]string{
		"cognito-idp": "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "sqs": "AWS_ENDPOINT_URL_SQS", "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
	}
	for way, set := range map[string]func(t *testing.T, service string){
		"AWS_ENDPOINT_URL":            func(t *testing.T, _ string) { t.Setenv("AWS_ENDPOINT_URL", at.URL) },
		"the variable of the service": func(t *testing.T, service string) { t.Setenv(variable[service], at.URL) },
		"endpoint_url of the profile": func(t *testing.T, _ string) {
			write(filepath.Join(dir, "aws"), "[default]\nendpoint_url = "+at.URL+"\n")
		},
		"the variable before the other": func(t *testing.T, service string) {
			t.Setenv("AWS_ENDPOINT_URL", never.URL)
			t.Setenv(variable[service], at.URL)
		},
	} {
		for _, c := range commands {
			t.Run(way+"/"+strings.Join(c.args[:2], " "), func(t *testing.T) {
				write(filepath.Join(dir, "aws"), "")
				service := strings.Fields(c.asks)[0]
				set(t, service[strings.LastIndexByte(service, '/')+1:])
				args := slices.Clone(c.args)
				if args[0] != "pool" {
					write(config, base+strings.ReplaceAll(c.more, "%s", rand.Text())) // a process asks for a secret once
					args = append(args, "--config", config)
				}
				at.take()
				never.take()
				stdout, stderr, _ := commandtest.Say(t, new(cli), args...)
				asked := at.take()
				if !slices.Contains(asked, c.asks) || c.asks2 != "" && !slices.Contains(asked, c.asks2) {
					t.Errorf("asked %q, want %q %q\n%s%s", asked, c.asks, c.asks2, stdout, stderr)
				}
				if elsewhere := never.take(); len(elsewhere) > 0 {
					t.Errorf("asked elsewhere, too: %q", elsewhere)
				}
			})
		}
	}
}
