package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Of Secrets Manager the local pool answers what reads and replaces the secrets of app
// clients: an application has one endpoint for both services.
const secretsManager = "secretsmanager."

type onSecret struct{ SecretId string }

// check is of the model of Secrets Manager, which is not the one that is read here.
func (in onSecret) check() error {
	if in.SecretId == "" {
		return &state.Error{Type: "ValidationException", Message: "1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null"}
	}
	return nil
}

type secretValue struct {
	onSecret
	VersionId    string
	VersionStage string
}

// stages are those of the versions of a secret, the latest first.
var stages = []string{"AWSCURRENT", "AWSPREVIOUS"}

func (a *API) getSecretValue(in *secretValue) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	c, secrets, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	stage := in.VersionStage
	if stage == "" && in.VersionId == "" {
		stage = stages[0]
	}
	for i, s := range secrets {
		if in.VersionId != "" && in.VersionId != versionOf(s) || stage != "" && stage != stages[i] {
			continue
		}
		// AWS, API reference, CreateUserPoolClient: the members of the secret's JSON.
		text, err := json.Marshal(map[string]string{"userPoolId": c.PoolID, "userPoolClientId": c.ID, "clientSecretValue": s.Value})
		if err != nil {
			return nil, err
		}
		return map[string]any{
			"ARN": c.SecretARN, "Name": c.SecretName(), "VersionId": versionOf(s), "SecretString": string(text),
			"VersionStages": []string{stages[i]}, "CreatedDate": epoch(s.Created),
		}, nil
	}
	return nil, &state.Error{Type: state.ResourceNotFound, Message: "Secrets Manager can't find the specified secret value for staging label: " + stage}
}

// versionOf is an id of a version: Secrets Manager's have 32 to 64 characters.
func versionOf(s state.ClientSecret) string {
	const zeros = "00000000-0000-0000-0000-000000000000"
	return zeros[:max(0, len(zeros)-len(s.ID))] + s.ID
}

// describeSecret says all but the value.
func (a *API) describeSecret(in *onSecret) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	c, secrets, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	versions := make(map[string][]string, len(secrets))
	for i, s := range secrets {
		versions[versionOf(s)] = []string{stages[i]}
	}
	last, every := secrets[0].Created, c.RotatesEvery()
	created := c.Created
	if created.IsZero() {
		created = secrets[len(secrets)-1].Created // of a seed
	}
	rules := map[string]any{"ScheduleExpression": fmt.Sprintf("rate(%d hours)", every/time.Hour)}
	if every%day == 0 {
		rules = map[string]any{"AutomaticallyAfterDays": int(every / day)}
	}
	return map[string]any{
		"ARN": c.SecretARN, "Name": c.SecretName(), "OwningService": "cognito", "CreatedDate": epoch(created), "LastChangedDate": epoch(last),
		"LastRotatedDate": epoch(last), "NextRotationDate": epoch(last.Add(every)), "RotationEnabled": true, "RotationRules": rules, "VersionIdsToStages": versions,
	}, nil
}

func (a *API) listSecretVersionIds(in *onSecret) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	c, secrets, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(secrets))
	for i, s := range secrets {
		list = append(list, map[string]any{"VersionId": versionOf(s), "VersionStages": []string{stages[i]}, "CreatedDate": epoch(s.Created)})
	}
	return map[string]any{"ARN": c.SecretARN, "Name": c.SecretName(), "Versions": list}, nil
}

type rotateSecret struct {
	onSecret
	RotationLambdaARN string
	RotationRules     rotationRules
	RotateImmediately *bool // nil: yes
}

type rotationRules struct {
	AutomaticallyAfterDays *int
	ScheduleExpression     string
}

var ratePattern = regexp.MustCompile(`^rate\((\d{1,4}) (hours?|days?)\)$`)

// every is how often a secret is to be replaced; zero: as before. Secrets Manager takes four
// hours to a thousand days.
func (r rotationRules) every() (time.Duration, error) {
	no := func(message string) (time.Duration, error) {
		return 0, &state.Error{Type: state.InvalidParameter, Message: message}
	}
	switch {
	case r.AutomaticallyAfterDays != nil && r.ScheduleExpression != "":
		return no("You can specify only one of AutomaticallyAfterDays and ScheduleExpression.")
	case r.AutomaticallyAfterDays != nil:
		if days := *r.AutomaticallyAfterDays; days < 1 || days > 1000 {
			return no("AutomaticallyAfterDays is 1 to 1000.")
		}
		return time.Duration(*r.AutomaticallyAfterDays) * day, nil
	case r.ScheduleExpression == "":
		return 0, nil
	}
	found := ratePattern.FindStringSubmatch(r.ScheduleExpression)
	if found == nil {
		return no("The local pool understands schedules such as rate(10 days) and rate(12 hours), and no cron().")
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0, err
	}
	every := time.Duration(n) * time.Hour
	if found[2][0] == 'd' {
		every = time.Duration(n) * day
	}
	if every < 4*time.Hour || every > 1000*day {
		return no("A schedule is four hours to 1000 days.")
	}
	return every, nil
}

func (a *API) rotateSecret(in *rotateSecret) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.RotationLambdaARN != "" {
		return nil, &state.Error{Type: state.InvalidParameter, Message: "Cognito rotates this secret: it has no Lambda function."}
	}
	every, err := in.RotationRules.every()
	if err != nil {
		return nil, err
	}
	s, err := a.state.Rotate(in.SecretId, every, in.RotateImmediately == nil || *in.RotateImmediately)
	if err != nil {
		return nil, err
	}
	c, _, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": c.SecretARN, "Name": c.SecretName(), "VersionId": versionOf(s)}, nil
}
