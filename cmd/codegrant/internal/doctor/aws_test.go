package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// TestDoctorOwnSession: what the pool says of its own login session, and what doctor
// makes of it.
func TestDoctorOwnSession(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		body     string
		absolute time.Duration
		level    level
		found    string
	}{
		{"no tracking", 400, `{"__type":"OperationNotEnabledException"}`, 0, fine, "one hour"},
		{"an operation that the pool does not know", 404, `{"__type":"com.amazon#UnknownOperationException"}`, 0, fine, "one hour"},
		{"the default", 200, `{"SSOSession":{}}`, 0, fine, "1h0m0s"},
		{"none", 200, `{"SSOSession":{"MaxValidityMinutes":0}}`, 0, fine, "each sign-in asks"},
		{"a minute", 200, `{"SSOSession":{"MaxValidityMinutes":1}}`, 0, fine, "set max_age on the route"},
		{"two days", 200, `{"SSOSession":{"MaxValidityMinutes":2880}}`, 0, fine, "48h0m0s"},
		{"two days, and sessions of one", 200, `{"SSOSession":{"MaxValidityMinutes":2880}}`, 24 * time.Hour, warning, "signed in again without a question"},
		{"90 days", 200, `{"SSOSession":{"MaxValidityMinutes":129600}}`, 0, warning, "2160h0m0s"},
		{"not allowed", 400, `{"__type":"AccessDeniedException","message":"no\u001b[31m"}`, 0, warning, "AccessDeniedException"},
		{"a page of something in between", 503, `<html>`, 0, warning, "status 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=local/") || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetUserPoolClientSessionConfiguration") {
					t.Errorf("request with %v", r.Header)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			e := examination{now: time.Now, client: server.Client()}
			e.ownSession(t.Context(), codegrant.Config{AbsoluteTimeout: tt.absolute}, &cognitoAPI{
				client: server.Client(), url: server.URL + "/", region: "eu-west-1", poolID: "eu-west-1_Ab12Cd34E", clientID: "c1",
				credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
			})
			if len(e.findings) != 1 || e.findings[0].Level != tt.level || !strings.Contains(e.findings[0].Found, tt.found) || strings.Contains(e.findings[0].Found, "\x1b") {
				t.Errorf("findings %+v, want %s: %s", e.findings, tt.level, tt.found)
			}
			if tt.status == 200 && tt.level == warning && (!strings.Contains(e.findings[0].Fix, "max_age") || !strings.Contains(e.findings[0].Fix, "prompt=login") || !strings.Contains(e.findings[0].Fix, "MaxValidityMinutes")) {
				t.Errorf("the finding does not say what to do: %+v", e.findings[0])
			}
		})
	}
}

// TestDoctorAsksWhereTheSDKIsSent: AWS_ENDPOINT_URL, and the variable of Cognito, count for
// both things that doctor reads from the API of a pool at AWS.
func TestDoctorAsksWhereTheSDKIsSent(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
		asked = append(asked, who+" "+r.Header.Get("X-Amz-Target"))
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"NotAuthorizedException"}`)
	}))
	defer server.Close()
	none := filepath.Join(t.TempDir(), "none")
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"} {
		t.Run(variable, func(t *testing.T) {
			for name, value := range map[string]string{
				"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "",
				variable: server.URL,
			} {
				t.Setenv(name, value)
			}
			asked = nil
			issuer := "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
			e := examination{now: time.Now, client: server.Client(), askAWS: true}
			api, err := e.api(t.Context(), codegrant.Config{}, cognito.Endpoints{Issuer: issuer})
			if err != nil {
				t.Fatal(err)
			}
			if err := api.ofPool(t.Context(), "DescribeUserPool", new(struct{})); err == nil || !strings.Contains(err.Error(), "NotAuthorizedException") {
				t.Errorf("DescribeUserPool = %v", err)
			}
			if _, err := poolPeople(t.Context(), issuer, ""); err == nil {
				t.Error("people of a pool that refuses")
			}
			const service = "AKIDEXAMPLE AWSCognitoIdentityProviderService."
			if want := []string{service + "DescribeUserPool", service + "ListUsers"}; !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
		})
	}
}
