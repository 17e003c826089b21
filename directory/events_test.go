package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// cloudTrail is an event as EventBridge delivers it.
func cloudTrail(name, pool, subject, group string) string {
	quoted := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	parameters := `{"userPoolId":` + quoted(pool) + `,"username":"HIDDEN_DUE_TO_SECURITY_REASONS"`
	if group != "" {
		parameters += `,"groupName":` + quoted(group)
	}
	additional := "null"
	if subject != "" {
		additional = `{"sub":` + quoted(subject) + `}`
	}
	return `{"version":"0","id":"6a7e8feb","detail-type":"AWS API Call via CloudTrail","source":"aws.cognito-idp","account":"111122223333",` +
		`"time":"2026-01-02T03:04:06Z","region":"eu-west-1","resources":[],"detail":{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z",` +
		`"eventSource":"cognito-idp.amazonaws.com","eventName":` + quoted(name) + `,"eventType":"AwsApiCall","readOnly":false,"eventID":"e-1",` +
		`"userIdentity":{"type":"AssumedRole"},"requestParameters":` + parameters + `},"responseElements":null,"additionalEventData":` + additional + `}}`
}

func detail(event string) string {
	var e struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		panic(err)
	}
	return string(e.Detail)
}

func notification(message string) string {
	b, _ := json.Marshal(map[string]string{"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": message})
	return string(b)
}

const triggered = `{"version":"1","region":"eu-west-1","userPoolId":"p_1","userName":"alice","callerContext":{"clientId":"c"},` +
	`"triggerSource":"PostConfirmation_ConfirmSignUp","request":{"userAttributes":{"sub":"s-1","email":"a@example.com"}},"response":{}}`

func TestParseEvents(t *testing.T) {
	disable := cloudTrail("AdminDisableUser", "p_1", "s-1", "")
	for _, tt := range []struct {
		name, body string
		want       string
	}{
		{"a user", disable, "AdminDisableUser s-1 "},
		{"a member", cloudTrail("AdminAddUserToGroup", "p_1", "s-1", "editors"), "AdminAddUserToGroup s-1 editors"},
		{"a member of a group that is hidden", cloudTrail("AdminRemoveUserFromGroup", "p_1", "s-1", "HIDDEN_DUE_TO_SECURITY_REASONS"), "AdminRemoveUserFromGroup s-1 "},
		{"a group", cloudTrail("DeleteGroup", "p_1", "", "editors"), "DeleteGroup  editors"},
		{"a hidden group", cloudTrail("DeleteGroup", "p_1", "", "HIDDEN_DUE_TO_SECURITY_REASONS"), ""},
		{"nobody", cloudTrail("AdminDisableUser", "p_1", "", ""), ""},
		{"somebody whom no store can name", cloudTrail("AdminDisableUser", "p_1", "s\x001", ""), ""},
		{"a group that nobody can name", cloudTrail("DeleteGroup", "p_1", "", "g\n"), ""},
		{"somebody hidden", cloudTrail("AdminDisableUser", "p_1", "HIDDEN_DUE_TO_SECURITY_REASONS", ""), ""},
		{"another pool", cloudTrail("AdminDisableUser", "p_2", "s-1", ""), ""},
		{"no pool", cloudTrail("AdminDisableUser", "", "s-1", ""), ""},
		{"no pool, by an app", cloudTrail("DeleteUser", "", "s-1", ""), "DeleteUser s-1 "},
		{"no pool, by an app, about nobody", cloudTrail("DeleteUser", "", "", ""), ""},
		{"another pool, by an app", cloudTrail("DeleteUser", "p_2", "s-1", ""), ""},
		{"the pool elsewhere", strings.Replace(cloudTrail("DeleteUser", "", "s-1", ""), `{"sub":`, `{"userPoolId":"p_1","sub":`, 1), "DeleteUser s-1 "},
		{"another pool elsewhere", strings.Replace(cloudTrail("DeleteUser", "", "s-1", ""), `{"sub":`, `{"userPoolId":"p_2","sub":`, 1), ""},
		{"an operation that changes nothing", cloudTrail("AdminGetUser", "p_1", "s-1", ""), ""},
		{"an operation that failed", strings.Replace(disable, `"eventID"`, `"errorCode":"UserNotFoundException","eventID"`, 1), ""},
		{"another service", strings.Replace(disable, "cognito-idp.amazonaws.com", "iam.amazonaws.com", 1), ""},
		{"a record by itself", detail(disable), "AdminDisableUser s-1 "},
		{"a list of records", `{"Records":[` + detail(disable) + `,` + detail(cloudTrail("DeleteUser", "p_1", "s-2", "")) + `]}`, "AdminDisableUser s-1 , DeleteUser s-2 "},
		{"an array", `[` + disable + `,` + triggered + `]`, "AdminDisableUser s-1 , PostConfirmation_ConfirmSignUp s-1 "},
		{"by way of SNS", notification(disable), "AdminDisableUser s-1 "},
		{"a trigger", triggered, "PostConfirmation_ConfirmSignUp s-1 "},
		{"a trigger that says nothing new", strings.Replace(triggered, "PostConfirmation_ConfirmSignUp", "PreSignUp_SignUp", 1), ""},
		{"an empty array", ` [] `, ""},
		{"subject of another type", strings.Replace(disable, `"s-1"`, `["s-1"]`, 1), ""},
		{"parameters of another type", strings.Replace(disable, `"requestParameters":{`, `"requestParameters":[{`, 1), "error"},
		{"a subject that is too long", cloudTrail("AdminDisableUser", "p_1", strings.Repeat("x", 600), ""), ""},
		{"nothing", "", "error"},
		{"null", "null", "error"},
		{"another object", `{"hello":"world"}`, "error"},
		{"another kind of detail", strings.Replace(disable, "AWS API Call via CloudTrail", "horses", 1), "error"},
		{"cut off", disable[:200], "error"},
		{"wrapped too often", notification(notification(notification(notification(disable)))), "error"},
		{"deep", strings.Repeat("[", 100000), "error"},
		{"too large", `{"x":"` + strings.Repeat("x", maxEventBytes) + `"}`, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events, err := ParseEvents([]byte(tt.body), "p_1")
			var got []string
			for _, e := range events {
				got = append(got, e.Name+" "+e.Subject+" "+e.Group)
			}
			if text := strings.Join(got, ", "); tt.want == "error" && (!errors.Is(err, ErrNoEvent) || events != nil) ||
				tt.want != "error" && (err != nil || text != tt.want) {
				t.Errorf("events = %q, %v, want %q", text, err, tt.want)
			}
		})
	}
	events, _ := ParseEvents([]byte(disable), "p_1")
	if e := events[0]; e.ID != "e-1" || !e.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("event = %+v", e)
	}
}

// FuzzParseEvents: whatever is received, there is an error or events that name what
// they are about, and a second reading finds the same.
func FuzzParseEvents(f *testing.F) {
	for _, seed := range []string{
		cloudTrail("AdminDisableUser", "p_1", "s-1", ""), cloudTrail("AdminAddUserToGroup", "p_1", "s-1", "editors"),
		cloudTrail("DeleteGroup", "p_1", "", "g"), triggered, notification(triggered), `[{"Records":[]}]`,
		`{"detail-type":"AWS x","detail":{"eventName":1}}`, `{"EVENTNAME":"DeleteUser","eventSource":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := ParseEvents(body, "p_1")
		if err != nil && (!errors.Is(err, ErrNoEvent) || events != nil) {
			t.Fatalf("events %v, error %v", events, err)
		}
		for _, e := range events {
			if e.Subject == "" && e.Group == "" || operations[e.Name] == 0 || len(e.Subject) > maxNameBytes || len(e.Group) > maxNameBytes {
				t.Fatalf("event %+v", e)
			}
		}
		if again, _ := ParseEvents(body, "p_1"); !slices.Equal(again, events) {
			t.Fatalf("read %v, and then %v", events, again)
		}
	})
}

func ExampleParseEvents() {
	body, err := os.ReadFile("testdata/disabled.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	events, err := ParseEvents(body, "eu-west-1_Ab12Cd34E")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range events {
		fmt.Println(e.Name, e.Subject)
	}
	// Output: AdminDisableUser 4f1a1d3c-1f3e-4f7e-9a51-0f3ad52b7c11
}
