package moving

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/directory/recovery"
)

// TestS802_WhatTheCommandKnowsOfARecovery: one that was started, or given up by AWS, but none
// that only counts, which no listing has.
func TestS802_WhatTheCommandKnowsOfARecovery(t *testing.T) {
	for status, want := range map[string]bool{"": false, "RESTORING": true, "AWS_ABORTED": true, "RESTORE_COMPLETED": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			one := ""
			if status != "" {
				one = fmt.Sprintf(`{"RestoreId":"r1","RestoreStatus":%q,"RestoreTimestamp":1.7e9,"TriggerTimestamp":1.8e9}`, status)
			}
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListPointInTimeRecoveries") {
				fmt.Fprintf(w, `{"Restorations":[%s]}`, one)
			} else {
				fmt.Fprintf(w, `{"Restoration":%s}`, one)
			}
		}))
		defer server.Close()
		own, err := recovery.New(t.Context(), cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}), "local_New000001")
		if err != nil {
			t.Fatal(err)
		}
		if got := paused(t.Context(), own); got != want {
			t.Errorf("%q: %v, want %v", status, got, want)
		}
	}
}
