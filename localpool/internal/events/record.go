package events

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// operations are those that are told of: they change users, groups or memberships.
var operations = strings.Fields(`
	SignUp ConfirmSignUp AdminConfirmSignUp AdminCreateUser AdminDeleteUser DeleteUser AdminEnableUser AdminDisableUser
	AdminUpdateUserAttributes AdminDeleteUserAttributes UpdateUserAttributes DeleteUserAttributes VerifyUserAttribute
	AdminSetUserPassword AdminResetUserPassword ChangePassword ForgotPassword ConfirmForgotPassword
	AdminUserGlobalSignOut GlobalSignOut AdminSetUserMFAPreference SetUserMFAPreference
	CreateGroup UpdateGroup DeleteGroup AdminAddUserToGroup AdminRemoveUserFromGroup`)

// Told reports whether there are events of an operation.
func Told(operation string) bool { return slices.Contains(operations, operation) }

// Call is one call of an operation, and what became of it.
type Call struct {
	Operation  string
	PoolID     string
	Sub        string                     // of the user whom it is about; empty: none, or nobody
	Parameters map[string]json.RawMessage // the members of the request
	Error      *state.Error               // nil: it was done
	Anonymous  bool                       // made by an app, which has no AWS credentials
	RequestID  string
	SourceIP   string
	UserAgent  string
}

// hidden is what stands in the place of what nobody is to read in a log.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// shown are the members of requests that tell nothing about a person.
var shown = []string{
	"userPoolId", "clientId", "groupName", "description", "precedence", "roleArn", "messageAction", "desiredDeliveryMediums",
	"forceAliasCreation", "permanent", "userAttributeNames", "attributeName",
}

// Limits of what an event repeats: a thousand may wait.
const (
	maxParameters = 30
	maxName       = 64
	maxValue      = 8 << 10
)

// account is that of the local pool.
const account = "000000000000"

// event is what EventBridge delivers.
type event struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     detail   `json:"detail"`
}

// detail is CloudTrail's record.
type detail struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        map[string]any `json:"userIdentity"`
	EventTime           string         `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    any            `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"`
}

// eventOf writes the event of a call.
func eventOf(c Call, id, eventID string, now time.Time) ([]byte, error) {
	region, _, _ := strings.Cut(c.PoolID, "_")
	at := now.UTC().Format(time.RFC3339)
	// An app says no pool; what is told of it does, so that one can be told apart.
	parameters := map[string]any{"userPoolId": c.PoolID}
	for name, value := range c.Parameters {
		key := lowered(name)
		if len(key) > maxName || len(parameters) >= maxParameters {
			continue // no operation has such
		}
		if parameters[key] = hidden; slices.Contains(shown, key) && len(value) <= maxValue {
			parameters[key] = value
		}
	}
	e := event{
		Version: "0", ID: id, DetailType: "AWS API Call via CloudTrail", Source: "aws.cognito-idp", Account: account, Time: at, Region: region,
		Resources: []string{},
		Detail: detail{
			EventVersion: "1.08", UserIdentity: map[string]any{
				"type": "IAMUser", "principalId": "LOCALPOOL", "arn": "arn:aws:iam::" + account + ":user/local", "accountId": account, "userName": "local",
			},
			EventTime: at, EventSource: "cognito-idp.amazonaws.com", EventName: c.Operation, AWSRegion: region, SourceIPAddress: c.SourceIP, UserAgent: c.UserAgent,
			RequestParameters: parameters, RequestID: c.RequestID, EventID: eventID, EventType: "AwsApiCall", ManagementEvent: true,
			RecipientAccountID: account, EventCategory: "Management",
		},
	}
	if c.Anonymous {
		e.Detail.UserIdentity = map[string]any{"type": "Unknown", "principalId": "Anonymous"}
	}
	if c.Error != nil {
		e.Detail.ErrorCode, e.Detail.ErrorMessage = c.Error.Type, c.Error.Message
	}
	if c.Sub != "" {
		e.Detail.AdditionalEventData = map[string]any{"sub": c.Sub}
	}
	return json.Marshal(e)
}

// lowered is a member's name as CloudTrail writes it: userPoolId of UserPoolId.
func lowered(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
