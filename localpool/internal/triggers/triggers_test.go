package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

const testPool = "local_Test1"

// testState is shared: keys take a while to make.
var testState = sync.OnceValues(func() (*state.State, error) {
	return state.New(state.Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, []*state.Pool{{
		ID: testPool, Lambda: state.LambdaConfig{
			PreSignUp: "arn:known", PostConfirmation: "arn:unknown", PreTokenGeneration: "arn:known",
			PreTokenGenerationConfig: &state.LambdaFunction{LambdaVersion: V2, LambdaArn: "arn:known"},
		},
	}})
})

func newTriggers(t testing.TB, arns map[string]Function) *Triggers {
	t.Helper()
	s, err := testState()
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{State: s, Logger: slog.New(slog.DiscardHandler), ARNs: arns})
}

// answering returns a function that answers every event with a response.
func answering(response string, got *event) Function {
	return func(_ context.Context, b []byte) ([]byte, error) {
		if err := json.Unmarshal(b, got); err != nil {
			return nil, err
		}
		return fmt.Appendf(nil, `{"triggerSource":%q,"userPoolId":%q,"response":%s}`, got.TriggerSource, got.UserPoolID, response), nil
	}
}

var someone = About{
	PoolID: testPool, ClientID: "web", Metadata: map[string]string{"from": "app"},
	User: state.User{Username: "erin", Status: state.Confirmed, Attributes: map[string]string{"sub": "s1", "email": "erin@example.com"}},
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(*Triggers) error
		want string
	}{
		{"sign-up", func(tr *Triggers) error { _, err := tr.PreSignUp(t.Context(), SignUp, someone); return err },
			`{"version":"1","triggerSource":"PreSignUp_SignUp","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"clientMetadata":{"from":"app"},"userAttributes":{"email":"erin@example.com"},"validationData":null},"response":{"autoConfirmUser":false,"autoVerifyEmail":false,"autoVerifyPhone":false}}`},
		{"invitation", func(tr *Triggers) error {
			_, err := tr.PreSignUp(t.Context(), AdminCreateUser, About{PoolID: testPool, User: someone.User, Validation: map[string]string{"v": "1"}})
			return err
		}, `{"version":"1","triggerSource":"PreSignUp_AdminCreateUser","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"CLIENT_ID_NOT_APPLICABLE"},"request":{"userAttributes":{"email":"erin@example.com"},"validationData":{"v":"1"}},"response":{"autoConfirmUser":false,"autoVerifyEmail":false,"autoVerifyPhone":false}}`},
		{"before a sign-in", func(tr *Triggers) error { return tr.PreAuthentication(t.Context(), someone) },
			`{"version":"1","triggerSource":"PreAuthentication_Authentication","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"userAttributes":{"cognito:user_status":"CONFIRMED","email":"erin@example.com","sub":"s1"},"userNotFound":false,"validationData":null},"response":{}}`},
		{"before nobody's sign-in", func(tr *Triggers) error {
			return tr.PreAuthentication(t.Context(), About{PoolID: testPool, ClientID: "web", User: state.User{Username: "nobody"}})
		}, `{"version":"1","triggerSource":"PreAuthentication_Authentication","region":"local","userPoolId":"local_Test1","userName":"nobody","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"userAttributes":{},"userNotFound":true,"validationData":null},"response":{}}`},
		{"after a sign-in", func(tr *Triggers) error { return tr.PostAuthentication(t.Context(), someone) },
			`{"version":"1","triggerSource":"PostAuthentication_Authentication","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"clientMetadata":{"from":"app"},"newDeviceUsed":false,"userAttributes":{"cognito:user_status":"CONFIRMED","email":"erin@example.com","sub":"s1"}},"response":{}}`},
		{"confirmed", func(tr *Triggers) error { return tr.PostConfirmation(t.Context(), ConfirmForgot, someone) },
			`{"version":"1","triggerSource":"PostConfirmation_ConfirmForgotPassword","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"clientMetadata":{"from":"app"},"userAttributes":{"cognito:user_status":"CONFIRMED","email":"erin@example.com","sub":"s1"}},"response":{}}`},
		{"tokens", func(tr *Triggers) error {
			_, err := tr.TokenGeneration(t.Context(), HostedAuth, someone, Groups{Names: []string{"admins"}, Roles: []string{"arn:r"}, Preferred: "arn:r"}, []string{"openid"})
			return err
		}, `{"version":"1","triggerSource":"TokenGeneration_HostedAuth","region":"local","userPoolId":"local_Test1","userName":"erin","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"web"},"request":{"clientMetadata":{"from":"app"},"groupConfiguration":{"groupsToOverride":["admins"],"iamRolesToOverride":["arn:r"],"preferredRole":"arn:r"},"userAttributes":{"cognito:user_status":"CONFIRMED","email":"erin@example.com","sub":"s1"}},"response":{"claimsOverrideDetails":null}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTriggers(t, nil)
			var sent []byte
			for _, name := range Names {
				tr.Set(testPool, name, Hook{Function: func(_ context.Context, b []byte) ([]byte, error) { sent = b; return b, nil }})
			}
			if err := tt.call(tr); err != nil || string(sent) != tt.want {
				t.Errorf("sent %s, %v\nwant %s", sent, err, tt.want)
			}
		})
	}
}

func TestTokenGenerationVersions(t *testing.T) {
	tr := newTriggers(t, nil)
	var got event
	for version, number := range map[string]string{V2: "2", V3: "3"} {
		tr.Set(testPool, PreTokenGeneration, Hook{answering(`{"claimsAndScopeOverrideDetails":{
			"idTokenGeneration":{"claimsToAddOrOverride":{"n":7,"o":{"a":[true]}},"claimsToSuppress":["email"]},
			"accessTokenGeneration":{"claimsToAddOrOverride":{"t":"x"},"scopesToAdd":["a/b"],"scopesToSuppress":["openid"]},
			"groupOverrideDetails":{}}}`, &got), version})
		o, err := tr.TokenGeneration(t.Context(), RefreshTokens, someone, Groups{}, []string{"openid"})
		want := Overrides{
			ID:     Claims{Add: map[string]any{"n": 7.0, "o": map[string]any{"a": []any{true}}}, Suppress: []string{"email"}},
			Access: Claims{Add: map[string]any{"t": "x"}}, AddScopes: []string{"a/b"}, SuppressScopes: []string{"openid"}, Groups: &Groups{},
		}
		if err != nil || !reflect.DeepEqual(o, want) || got.Version != number || !reflect.DeepEqual(got.Request["scopes"], []any{"openid"}) {
			t.Errorf("%s: %+v, %v, of %+v", version, o, err, got)
		}
	}
	got = event{}
	if _, err := tr.ClientCredentials(t.Context(), testPool, "web", nil, []string{"a/b"}); err != nil {
		t.Error(err)
	}
	tr.Set(testPool, PreTokenGeneration, Hook{answering(`{}`, &got), V2})
	got = event{}
	if _, err := tr.ClientCredentials(t.Context(), testPool, "web", nil, nil); err != nil || got.Version != "" {
		t.Errorf("V2_0 is called for client credentials: %+v, %v", got, err)
	}
}

// A function that LambdaConfig names is called where the seed has something for it.
func TestLambdaConfig(t *testing.T) {
	var got event
	tr := newTriggers(t, map[string]Function{"arn:known": answering(`{}`, &got)})
	if _, err := tr.PreSignUp(t.Context(), SignUp, someone); err != nil || got.TriggerSource != SignUp {
		t.Errorf("PreSignUp: %+v, %v", got, err)
	}
	if _, err := tr.TokenGeneration(t.Context(), HostedAuth, someone, Groups{}, nil); err != nil || got.Version != "2" {
		t.Errorf("PreTokenGeneration: %+v, %v", got, err)
	}
	got = event{}
	if err := tr.PostConfirmation(t.Context(), ConfirmSignUp, someone); err != nil || got.Version != "" {
		t.Errorf("a function that nobody knows: %+v, %v", got, err)
	}
	tr.Set(testPool, PreSignUp, Hook{Function: func(context.Context, []byte) ([]byte, error) { return nil, &Failure{"no"} }})
	if _, err := tr.PreSignUp(t.Context(), SignUp, someone); err == nil {
		t.Error("the pool's own hook does not go before LambdaConfig")
	}
	tr.Set(testPool, PreSignUp, Hook{})
	if _, err := tr.PreSignUp(t.Context(), SignUp, someone); err != nil {
		t.Errorf("a hook that was ended: %v", err)
	}
}

func TestRemote(t *testing.T) {
	whole := `{"triggerSource":"PreSignUp_SignUp","userPoolId":"local_Test1","response":`
	for _, tt := range []struct {
		name   string
		status int
		header string
		body   string
		want   string // the error; empty: none
		calls  int
	}{
		{"the event", 200, "", whole + `{"autoConfirmUser":true}}`, "", 1},
		{"the event, with an errorMessage", 200, "", whole + `{},"errorMessage":"x"}`, "", 1},
		{"nulls", 200, "", whole + `{"autoConfirmUser":null}}`, "", 1},
		{"an error as Lambda has it", 400, "", `{"errorMessage":"Not today","errorType":"Error","trace":[]}`, "UserLambdaValidationException: PreSignUp failed with error Not today.", 1},
		{"an error with status 200", 200, "", `{"errorMessage":"Not today"}`, "UserLambdaValidationException: PreSignUp failed with error Not today.", 1},
		{"an error by its header", 200, "Unhandled", `"Not today"`, `UserLambdaValidationException: PreSignUp failed with error "Not today".`, 1},
		{"plain text", 403, "", "Not today\n", "UserLambdaValidationException: PreSignUp failed with error Not today.", 1},
		{"nothing", 403, "", "", "UserLambdaValidationException: PreSignUp failed with error Forbidden.", 1},
		{"no JSON", 200, "", "ok", "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"empty", 200, "", "", "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"no event", 200, "", `{"response":{}}`, "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"another event", 200, "", `{"triggerSource":"PreSignUp_SignUp","userPoolId":"x","response":{}}`, "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"no response", 200, "", `{"triggerSource":"PreSignUp_SignUp","userPoolId":"local_Test1"}`, "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"another type", 200, "", whole + `{"autoConfirmUser":"true"}}`, "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"a crash", 500, "", `{"errorMessage":"x"}`, "UnexpectedLambdaException: PreSignUp invocation failed due to error the answer has status 500.", 3},
		{"a redirect", 302, "", "", "UnexpectedLambdaException: PreSignUp invocation failed due to error the answer has status 302.", 3},
		{"a flood", 200, "", strings.Repeat(" ", maxAnswer+1), "UnexpectedLambdaException: PreSignUp invocation failed due to error the function could not be reached.", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s with %s", r.Method, r.Header.Get("Content-Type"))
				}
				if tt.header != "" {
					w.Header().Set(functionError, tt.header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			tr := newTriggers(t, nil)
			tr.Set(testPool, PreSignUp, Hook{Function: Remote(client, server.URL)})
			v, err := tr.PreSignUp(t.Context(), SignUp, someone)
			if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) {
				t.Errorf("error = %s, want %s", got, tt.want)
			}
			if calls != tt.calls || v.Confirm != (tt.name == "the event") {
				t.Errorf("%d calls, %+v", calls, v)
			}
		})
	}
}

// A function has five seconds, three times; the caller's patience ends none of them.
func TestTimeout(t *testing.T) {
	tr := newTriggers(t, nil)
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		tr.Set(testPool, PreSignUp, Hook{Function: func(ctx context.Context, _ []byte) ([]byte, error) {
			calls++
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		_, err := tr.PreSignUp(ctx, SignUp, someone)
		var refusal *state.Error
		if !errors.As(err, &refusal) || refusal.Type != state.UnexpectedLambda || !strings.Contains(refusal.Message, "timeout") {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(began); calls != 3 || took != 15*time.Second {
			t.Errorf("%d calls in %v", calls, took)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	for _, response := range []string{
		`{}`, `{"autoConfirmUser":true,"autoVerifyEmail":null}`, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":"b"},"claimsToSuppress":["email"],"groupOverrideDetails":{"groupsToOverride":["a"]}}}`,
		`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"a":[1]}},"accessTokenGeneration":{"scopesToAdd":["a b"]},"groupOverrideDetails":{}}}`, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":null}}}`,
		`[]`, `null`,
	} {
		f.Add([]byte(`{"triggerSource":"s","userPoolId":"p","response":` + response + `}`))
	}
	f.Add([]byte(`{"errorMessage":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if message, _ := errorMessage(body); len(message) > maxMessage || !strings.Contains(strings.ToValidUTF8(message, "?"), message) {
			t.Errorf("errorMessage() = %d bytes, or of another text than UTF-8", len(message))
		}
		m, err := parseAnswer(body, "s", "p")
		if err != nil {
			if m != nil {
				t.Error("members beside an error")
			}
			return
		}
		if v, err := parseVerdict(m); err != nil && v != (state.Verdict{}) {
			t.Errorf("%+v beside an error", v)
		}
		if w, err := parseWords(m); err != nil && w != (words{}) {
			t.Errorf("%+v beside an error", w)
		}
		for _, parse := range []func(members) (Overrides, error){parseClaims, parseClaimsAndScopes} {
			o, err := parse(m)
			if err != nil && !reflect.DeepEqual(o, Overrides{}) {
				t.Errorf("%+v beside an error", o)
			}
			for _, scope := range o.AddScopes {
				if scope == "" || strings.ContainsAny(scope, " \n\t") {
					t.Errorf("adds the scope %q", scope)
				}
			}
			if _, err := json.Marshal(o); err != nil {
				t.Error(err)
			}
		}
	})
}
