package directory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Event says that a user or a group may have changed. It is only a reason to look again.
type Event struct {
	ID      string    // as its sender calls it; empty: not at all
	Name    string    // of the operation or trigger, such as AdminDisableUser
	Subject string    // of the user to look at; empty: none
	Group   string    // to look at; empty: none, or hidden
	Time    time.Time // as its sender states it

	kind kind
}

// kind is what an event is a reason for.
type kind int

const (
	aboutUser   kind = iota + 1 // to look the user up
	disabled                    // the same, who may be disabled
	enabled                     // the same, who may not be disabled any more
	deleted                     // the same, who may be gone
	signedOut                   // to have the user's sessions refreshed
	aboutMember                 // to see whether the user is in the group
	aboutGroup                  // to read the members of the group
)

// operations are the events that are a reason for anything, by the name of the
// operation, or the source of the trigger.
var operations = map[string]kind{
	"AdminCreateUser": aboutUser, "SignUp": aboutUser, "AdminConfirmSignUp": aboutUser, "ConfirmSignUp": aboutUser,
	"AdminUpdateUserAttributes": aboutUser, "UpdateUserAttributes": aboutUser, "VerifyUserAttribute": aboutUser,
	"AdminDeleteUserAttributes": aboutUser, "DeleteUserAttributes": aboutUser,
	"AdminSetUserPassword": aboutUser, "AdminResetUserPassword": aboutUser, "ConfirmForgotPassword": aboutUser,
	"AdminLinkProviderForUser": aboutUser, "AdminDisableProviderForUser": aboutUser,
	"AdminDisableUser": disabled, "AdminEnableUser": enabled, "AdminDeleteUser": deleted, "DeleteUser": deleted,
	"AdminUserGlobalSignOut": signedOut, "GlobalSignOut": signedOut,
	"AdminAddUserToGroup": aboutMember, "AdminRemoveUserFromGroup": aboutMember,
	"CreateGroup": aboutGroup, "UpdateGroup": aboutGroup, "DeleteGroup": aboutGroup,

	"PostConfirmation_ConfirmSignUp": aboutUser, "PostConfirmation_ConfirmForgotPassword": aboutUser,
	"PostAuthentication_Authentication": aboutUser,
}

// EventNames returns the sorted names of Cognito's operations whose events need a look-up.
// A rule of EventBridge must let these values of detail.eventName through.
func EventNames() []string {
	var names []string
	for name := range operations {
		if !strings.Contains(name, "_") { // the source of a trigger has one
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// byApps are those of the operations that apps call.
var byApps = []string{
	"SignUp", "ConfirmSignUp", "UpdateUserAttributes", "VerifyUserAttribute", "DeleteUserAttributes", "ConfirmForgotPassword", "DeleteUser", "GlobalSignOut",
}

// ErrNoEvent: the input is not an event of a known kind.
var ErrNoEvent = errors.New("not an event")

// Limits of what is received.
const (
	maxEventBytes = 1 << 20
	maxEnvelopes  = 4
	maxNameBytes  = 512 // of a subject or a group; the replica takes no longer ones
)

// ParseEvents reads what says that something in a pool has changed:
//
//   - events of EventBridge with CloudTrail's records of management events, and
//     such records by themselves or in a list of Records;
//   - the events that Cognito calls Lambda triggers with;
//   - these in a JSON array, or in a notification of SNS.
//
// It returns the events that need a look-up in the pool of that id. It leaves out events
// about other pools, failed operations, and operations that do not change a replica. An
// operation that an app calls for a person has an app client or an access token, and may
// not name a pool. It counts if the pool may have that person. If ParseEvents cannot
// understand the input, the error is [ErrNoEvent].
func ParseEvents(body []byte, poolID string) ([]Event, error) {
	found, err := parseEvents(body, func(pool string) bool { return pool == poolID })
	return append(found[poolID], found[anyPool]...), err
}

// anyPool stands for the pool of events that name none.
const anyPool = ""

// parseEvents is ParseEvents for all pools that are wanted, by pool; those that name
// none are under anyPool.
func parseEvents(body []byte, wanted func(pool string) bool) (map[string][]Event, error) {
	if len(body) > maxEventBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrNoEvent, len(body))
	}
	events := make(map[string][]Event)
	err := parse(body, maxEnvelopes, func(e Event, pool string) {
		unnamed := pool == anyPool && slices.Contains(byApps, e.Name)
		if e.kind = operations[e.Name]; e.kind == 0 || !unnamed && !wanted(pool) {
			return
		}
		if e.Subject, e.Group = shown(e.Subject), shown(e.Group); e.reason() {
			events[pool] = append(events[pool], e)
		}
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// reason reports whether the event names what it is about.
func (e Event) reason() bool {
	if e.kind == aboutGroup {
		return e.Group != ""
	}
	return e.Subject != ""
}

// shown returns a name, unless CloudTrail has hidden it, or nobody can have it: the
// replica would refuse to hear of such, each time that the event comes again.
func shown(name string) string {
	if name == "HIDDEN_DUE_TO_SECURITY_REASONS" || len(name) > maxNameBytes || strings.ContainsFunc(name, unicode.IsControl) {
		return ""
	}
	return name
}

// text is a string, or nothing where something else is.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// record is what CloudTrail writes of one call.
type record struct {
	EventID     text `json:"eventID"`
	EventName   text `json:"eventName"`
	EventSource text `json:"eventSource"`
	EventTime   text `json:"eventTime"`
	ErrorCode   text `json:"errorCode"`
	Parameters  part `json:"requestParameters"`
	Additional  part `json:"additionalEventData"`
}

// part is an object, or nothing where something else is.
type part struct {
	UserPoolID text `json:"userPoolId"`
	GroupName  text `json:"groupName"`
	Sub        text `json:"sub"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *part) UnmarshalJSON(b []byte) error {
	type plain part
	var read plain
	if json.Unmarshal(b, &read) == nil {
		*p = part(read)
	}
	return nil
}

// trigger is what Cognito calls a Lambda function with.
type trigger struct {
	Source     text `json:"triggerSource"`
	UserPoolID text `json:"userPoolId"`
	Request    struct {
		Attributes part `json:"userAttributes"`
	} `json:"request"`
}

func parse(body []byte, envelopes int, found func(e Event, pool string)) error {
	if envelopes == 0 {
		return fmt.Errorf("%w: it is wrapped too often", ErrNoEvent)
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			return fmt.Errorf("%w: %w", ErrNoEvent, err)
		}
		for _, one := range list {
			if err := parse(one, envelopes-1, found); err != nil {
				return err
			}
		}
		return nil
	}
	var event struct {
		Type       text            `json:"Type"`
		Message    text            `json:"Message"`
		Detail     json.RawMessage `json:"detail"`
		DetailType text            `json:"detail-type"`
		Records    json.RawMessage `json:"Records"`
		EventName  text            `json:"eventName"`
		Trigger    text            `json:"triggerSource"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	switch {
	case event.Type == "Notification" && event.Message != "":
		return parse([]byte(event.Message), envelopes-1, found)
	case len(event.Records) > 0:
		return parse(event.Records, envelopes-1, found)
	case len(event.Detail) > 0:
		if !strings.HasPrefix(string(event.DetailType), "AWS ") {
			return fmt.Errorf("%w: its detail is of type %.64q", ErrNoEvent, event.DetailType)
		}
		return parse(event.Detail, envelopes-1, found)
	case event.EventName != "":
		var r record
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("%w: %w", ErrNoEvent, err)
		}
		if r.EventSource != "cognito-idp.amazonaws.com" || r.ErrorCode != "" {
			return nil
		}
		at, _ := time.Parse(time.RFC3339, string(r.EventTime)) // for people alone
		found(Event{
			ID: string(r.EventID), Name: string(r.EventName), Subject: string(r.Additional.Sub), Group: string(r.Parameters.GroupName), Time: at,
		}, string(cmp.Or(r.Parameters.UserPoolID, r.Additional.UserPoolID)))
		return nil
	case event.Trigger != "":
		var t trigger
		if err := json.Unmarshal(body, &t); err != nil {
			return fmt.Errorf("%w: %w", ErrNoEvent, err)
		}
		found(Event{Name: string(t.Source), Subject: string(t.Request.Attributes.Sub)}, string(t.UserPoolID))
		return nil
	}
	return fmt.Errorf("%w: it is an object of another kind", ErrNoEvent)
}
