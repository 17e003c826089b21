package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
)

// runningTimeout is how long a gateway on this machine may take to say how it is.
const runningTimeout = 3 * time.Second

// running asks a gateway that runs with this configuration what became of sign-ins lately:
// who refuses them may be somebody whom doctor cannot ask, such as a trigger of the pool.
func (e *examination) running(ctx context.Context, s *settings.Settings) {
	if s.OpsListen == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, runningTimeout)
	defer cancel()
	client, host := listen.Reach(s.OpsListen)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/state", nil)
	if err != nil {
		return // said with the settings
	}
	answer, err := client.Do(r)
	if err != nil {
		return // it does not run, or not on this machine
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	var state struct {
		Panels []struct {
			Title string
			Facts []struct{ Name, Text, Detail string }
		}
	}
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(body, &state) != nil {
		e.warn("sign-ins", "see that ops_listen is that of this codegrant serve, and no other program's", "%s answers, and not as codegrant serve does", s.OpsListen)
		return
	}
	found := make(map[string]string)
	details := make(map[string]string)
	for _, panel := range state.Panels {
		for _, f := range panel.Facts {
			if panel.Title == "Sign-ins" {
				found[f.Name], details[f.Name] = f.Text, terminal.Printable(f.Detail)
			}
		}
	}
	none := func(name string) bool { return found[name] == "" || found[name] == "0" }
	if !none("Refused") {
		e.warn("sign-ins", e.mendRefusal(ctx, s, details["Refused"]), "the gateway refused %s sign-ins within the last hour. %s", found["Refused"], details["Refused"])
	}
	if !none("Failed") {
		e.warn("sign-ins", "see what the other checks find; the log says why each failed: journalctl -u codegrant | grep 'sign-in failed'", "%s sign-ins failed within the last hour. %s", found["Failed"], details["Failed"])
	}
	if none("Refused") && none("Failed") {
		e.fine("sign-ins", "the gateway refused none within the last hour, and none failed")
	}
}

// triggerFailed is how Cognito says that a trigger has refused somebody.
var triggerFailed = regexp.MustCompile(`\b([A-Z][A-Za-z]+) failed with error `)

// mendRefusal is what to do about a refusal. A trigger says why in its own log.
func (e *examination) mendRefusal(ctx context.Context, s *settings.Settings, reason string) string {
	const elsewhere = "docs/sign-in-problems.md says what each reason means; journalctl -u codegrant | grep 'sign-in refused' has each, with the reference that the person sees"
	said := triggerFailed.FindStringSubmatch(reason)
	if said == nil {
		return elsewhere
	}
	mend := []string{fmt.Sprintf("look at the log of the function behind the trigger %s, and correct the function, or take it off the pool:", said[1])}
	for i := range s.Pools {
		endpoints, err := s.Pools[i].Config.Pool.Endpoints()
		if err != nil {
			continue
		}
		function, region := "FUNCTION", ""
		pool := poolIDOf(endpoints)
		if api, err := e.api(ctx, s.Pools[i].Config, endpoints); err == nil && api != nil {
			arn, asked := api.trigger(ctx, said[1])
			if asked && arn == "" && len(s.Pools) > 1 {
				continue // it is another pool's
			}
			if arn != "" {
				function, region = arn[strings.LastIndexByte(arn, ':')+1:], " --region "+api.region
			}
		}
		if function == "FUNCTION" {
			mend = append(mend, fmt.Sprintf("aws cognito-idp describe-user-pool --user-pool-id %s --query UserPool.LambdaConfig   # which functions", pool))
		}
		command := fmt.Sprintf("aws logs tail /aws/lambda/%s --since 1h%s", function, region)
		if !slices.Contains(mend, command) {
			mend = append(mend, command)
		}
	}
	return strings.Join(mend, "\n")
}

// trigger is the ARN of the function behind a trigger of the pool; empty: there is none.
// Asked is false where the pool does not say.
func (a *cognitoAPI) trigger(ctx context.Context, name string) (arn string, asked bool) {
	var described struct {
		UserPool struct{ LambdaConfig map[string]json.RawMessage }
	}
	if err := a.ofPool(ctx, "DescribeUserPool", &described); err != nil {
		return "", false
	}
	functions := triggersOf(described.UserPool.LambdaConfig)
	return functions[name], true
}

// triggersOf are the functions of a pool by the names of their triggers.
func triggersOf(config map[string]json.RawMessage) map[string]string {
	functions := make(map[string]string)
	for name, raw := range config {
		var arn string
		var versioned struct{ LambdaArn string }
		switch {
		case json.Unmarshal(raw, &arn) == nil:
		case json.Unmarshal(raw, &versioned) == nil:
			arn = versioned.LambdaArn
		}
		if strings.HasPrefix(arn, "arn:") && name != "KMSKeyID" {
			functions[strings.TrimSuffix(name, "Config")] = arn
		}
	}
	return functions
}
