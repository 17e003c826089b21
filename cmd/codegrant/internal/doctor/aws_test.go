package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/codegrant/codegrant"
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
