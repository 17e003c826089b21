package cognito

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestS588_AnswersOfTheAPI(t *testing.T) {
	const secret = "eyJ.the-access-token.of-alice"
	for name, tt := range map[string]struct {
		status int
		typed  string // X-Amzn-Errortype
		body   string
		code   string // of the refusal; empty: there is none
		away   bool
	}{
		"done":                        {200, "", `{"Username":"alice"}`, "", false},
		"refused":                     {400, "", `{"__type":"NotAuthorizedException","message":"Access Token has been revoked"}`, "NotAuthorizedException", false},
		"refused, with a namespace":   {400, "", `{"__type":"com.amazonaws.cognito#CodeMismatchException","message":"m"}`, "CodeMismatchException", false},
		"refused, by a header":        {400, "LimitExceededException:http://internal.amazon.com/", `{"message":"m"}`, "LimitExceededException", false},
		"the message has the token":   {400, "", `{"__type":"InvalidParameterException","message":"not ` + secret + `"}`, "InvalidParameterException", false},
		"throttled":                   {400, "", `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`, "", true},
		"throttled by status":         {429, "", `{"__type":"NotAuthorizedException"}`, "", true},
		"a fault of the service":      {500, "", `{"__type":"NotAuthorizedException"}`, "", true},
		"a replica that is read only": {400, "", `{"__type":"OperationNotEnabledException"}`, "", true},
		"a page of a firewall":        {403, "", `<html>`, "", true},
		"done, and no JSON":           {200, "", `<html>`, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var asked map[string]string
			var calls []*http.Request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls = append(calls, r)
				if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
					t.Error(err)
				}
				if tt.typed != "" {
					w.Header().Set("X-Amzn-Errortype", tt.typed)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			c := testClient(t, server.URL, "")
			c.endpoints.API = server.URL + "/"
			var out struct{ Username string }
			err := c.Call(t.Context(), "GetUser", map[string]any{"AccessToken": Secret(secret)}, &out)
			if len(calls) != 1 || asked["AccessToken"] != secret || calls[0].Header.Get("X-Amz-Target") != "AWSCognitoIdentityProviderService.GetUser" {
				t.Errorf("asked %v in %d calls", asked, len(calls))
			}
			var refusal *APIError
			switch {
			case tt.code == "" && !tt.away:
				if err != nil || out.Username != "alice" {
					t.Errorf("%v, %+v", err, out)
				}
			case errors.Is(err, ErrUnavailable) != tt.away, errors.As(err, &refusal) != (tt.code != ""), refusal != nil && refusal.Code != tt.code:
				t.Errorf("%v", err)
			case strings.Contains(err.Error(), secret):
				t.Errorf("the token is in %v", err)
			}
		})
	}
}

// FuzzAPIFault: whatever is answered is a refusal with a code, or says nothing about
// anybody; and no answer has the token repeated.
func FuzzAPIFault(f *testing.F) {
	const secret = "the-access-token"
	f.Add(400, "", `{"__type":"a#NotAuthorizedException:x","message":"the-access-token"}`)
	f.Add(400, "the-access-token", `{}`)
	f.Add(503, "X", `<html>`)
	f.Add(404, "", "")
	f.Fuzz(func(t *testing.T, status int, typed, body string) {
		header := http.Header{}
		header.Set("X-Amzn-Errortype", typed)
		err := apiFault("GetUser", answer{status, header, []byte(body)}, scrubCall(map[string]any{"AccessToken": Secret(secret)}))
		var refusal *APIError
		if errors.As(err, &refusal) == errors.Is(err, ErrUnavailable) || refusal != nil && refusal.Code == "" || strings.Contains(err.Error(), secret) {
			t.Errorf("%d %q %q: %v", status, typed, body, err)
		}
	})
}
