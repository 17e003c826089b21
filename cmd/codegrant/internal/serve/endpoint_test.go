package serve

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/move"
)

// TestGatewayAsksWhereTheSDKIsSent: AWS_ENDPOINT_URL, and the variable of Cognito, count for
// all that the gateway asks a pool at AWS: about people for the console, to sign people out,
// and about people of the pool that they move from.
func TestGatewayAsksWhereTheSDKIsSent(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		mu.Lock()
		asked = append(asked, operation)
		mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"NotAuthorizedException"}`)
	}))
	defer server.Close()
	const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	none := filepath.Join(t.TempDir(), "none")
	log := slog.New(slog.DiscardHandler)
	tickets, err := move.NewTickets(bytes.Repeat([]byte{1}, move.KeySize), "eu-central-1_Old00001", "eu-west-1_Ab12Cd34E")
	if err != nil {
		t.Fatal(err)
	}
	tickets.Providers = []string{"Google"}
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"} {
		t.Run(variable, func(t *testing.T) {
			for name, value := range map[string]string{
				"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "",
				variable: server.URL,
			} {
				t.Setenv(name, value)
			}
			asked = nil
			at := &atPool{g: &generation{process: &process{log: log}}, pool: &settings.Pool{Issuer: issuer}}
			if _, err := at.says(t.Context(), "sub-1"); err == nil {
				t.Error("a pool that refuses knows somebody")
			}
			if err := parts.SignOutAtPool(t.Context(), issuer, "", "sub-1", log); err == nil {
				t.Error("a pool that refuses signs somebody out")
			}
			old, err := oldPool(t.Context(), &settings.Moved{ID: "eu-central-1_Old00001", Region: "eu-central-1", Tickets: tickets}, log)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := old.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String("eu-central-1_Old00001")}); err == nil {
				t.Error("a pool that refuses lists people")
			}
			if want := []string{"ListUsers", "AdminUserGlobalSignOut", "ListUsers"}; !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
		})
	}
}
