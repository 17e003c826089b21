package doctor

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
)

// TestDoctorAsksTheGateway: a gateway that runs says what became of sign-ins, and of a
// trigger that refuses them doctor finds the function, and the command that shows its log.
func TestDoctorAsksTheGateway(t *testing.T) {
	const refusal = "not authenticated: pool answered invalid_request: PreTokenGeneration failed with error not today"
	lambda := `{"UserPool":{"LambdaConfig":{"PreTokenGenerationConfig":{"LambdaArn":"arn:aws:lambda:eu-west-1:111122223333:function:claims"}}}}`
	signIns := func(refused, failed int, why string) string {
		return fmt.Sprintf(`{"panels":[{"title":"Service","facts":[{"name":"Refused","text":"7"}]},{"title":"Sign-ins","facts":[{"name":"Refused","text":"%d","detail":"The last one: %s"},{"name":"Failed","text":"%d","detail":"The last one: %s"}]}]}`, refused, why, failed, why)
	}
	for _, tt := range []struct {
		name, state, described string
		level                  level
		found, mend            string
	}{
		{"all is well", signIns(0, 0, ""), lambda, fine, "refused none", ""},
		{"a trigger", signIns(3, 0, refusal), lambda, warning, "refused 3 sign-ins within the last hour. The last one: " + refusal, "behind the trigger PreTokenGeneration"},
		{"its log", signIns(3, 0, refusal), lambda, warning, "not today", "\naws logs tail /aws/lambda/claims --since 1h --region local"},
		{"of a function that is not known", signIns(3, 0, refusal), `{"UserPool":{}}`, warning, "not today", "\naws cognito-idp describe-user-pool --user-pool-id local_Demo12345 --query UserPool.LambdaConfig   # which functions\naws logs tail /aws/lambda/FUNCTION --since 1h"},
		{"a rule", signIns(1, 0, "the clock is off"), lambda, warning, "refused 1 sign-ins", "docs/sign-in-problems.md"},
		{"they fail", signIns(0, 2, "invalid_client"), lambda, warning, "2 sign-ins failed within the last hour. The last one: invalid_client", "what the other checks find"},
		{"another program", "hello", lambda, warning, "not as codegrant serve does", "ops_listen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.described) }))
			defer pool.Close()
			gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/state" {
					_, _ = io.WriteString(w, tt.state)
				}
			})
			over := httptest.NewServer(gateway)
			defer over.Close()
			path := filepath.Join(t.TempDir(), "s")
			socket, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			local := &httptest.Server{Listener: socket, Config: &http.Server{Handler: gateway}}
			local.Start()
			defer local.Close()
			for _, at := range []string{over.Listener.Addr().String(), "unix:" + path} {
				e := examination{now: time.Now, client: pool.Client()}
				e.running(t.Context(), &settings.Settings{OpsListen: at, Pools: []settings.Pool{{Config: codegrant.Config{
					Pool: cognito.Pool{ID: "local_Demo12345", Domain: pool.URL, Issuer: pool.URL + "/local_Demo12345", ClientID: "c1"},
				}}}})
				if !has(e.findings, "sign-ins", tt.level, tt.found, tt.mend) || len(e.findings) != 1 {
					t.Errorf("%s: findings %+v", at, e.findings)
				}
			}
		})
	}
	e := examination{now: time.Now}
	e.running(t.Context(), &settings.Settings{OpsListen: "unix:" + filepath.Join(t.TempDir(), "nobody")})
	e.running(t.Context(), &settings.Settings{})
	if len(e.findings) > 0 {
		t.Errorf("no gateway runs: %+v", e.findings)
	}
}
