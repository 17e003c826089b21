package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// The triggers, by the names that Cognito has for them in errors and in
// LambdaConfig.
const (
	PreSignUp          = "PreSignUp"
	PostConfirmation   = "PostConfirmation"
	PreAuthentication  = "PreAuthentication"
	PostAuthentication = "PostAuthentication"
	PreTokenGeneration = "PreTokenGeneration"
)

// Names are all triggers that are called.
var Names = []string{
	PreSignUp, PostConfirmation, PreAuthentication, PostAuthentication, PreTokenGeneration,
	DefineAuthChallenge, CreateAuthChallenge, VerifyAuthChallengeResponse, UserMigration, InboundFederation,
	CustomMessage, CustomEmailSender, CustomSMSSender,
}

// Versions of the event that PreTokenGeneration is given.
const (
	V1 = "V1_0" // claims of the ID token
	V2 = "V2_0" // and of the access token, and scopes
	V3 = "V3_0" // and access tokens of client credentials
)

// Versions are all of them.
var Versions = []string{V1, V2, V3}

// Why triggers are called, in Cognito's words.
const (
	SignUp             = "PreSignUp_SignUp"
	AdminCreateUser    = "PreSignUp_AdminCreateUser"
	ConfirmSignUp      = "PostConfirmation_ConfirmSignUp"
	ConfirmForgot      = "PostConfirmation_ConfirmForgotPassword"
	beforeSignIn       = "PreAuthentication_Authentication"
	afterSignIn        = "PostAuthentication_Authentication"
	HostedAuth         = "TokenGeneration_HostedAuth"
	Authentication     = "TokenGeneration_Authentication"
	NewPassword        = "TokenGeneration_NewPasswordChallenge"
	RefreshTokens      = "TokenGeneration_RefreshTokens"
	clientCredentials  = "TokenGeneration_ClientCredentials"
	administratorsCall = "CLIENT_ID_NOT_APPLICABLE" // in the place of a client's id
)

// Function is given an event and returns it with an answer in it. A [*Failure] is
// an error of its own, which people are shown; anything else is tried again.
type Function func(ctx context.Context, event []byte) ([]byte, error)

// Failure is an error that a function reported.
type Failure struct{ Message string }

func (f *Failure) Error() string { return f.Message }

// Hook is what is called at a trigger.
type Hook struct {
	Function Function
	Version  string // of PreTokenGeneration's event; empty: [V1]
}

// Config configures [Triggers]. State and Logger are required.
type Config struct {
	State *state.State
	// Logger receives which functions fail, and why.
	Logger *slog.Logger
	// ARNs maps functions that LambdaConfig names to what is called for them.
	ARNs map[string]Function
	// SenderKey is what codes are sealed with for functions that send messages: 16, 24 or 32
	// bytes. None: they are given as they are.
	SenderKey []byte
	// Link is where a code that the user confirms by a link leads to.
	Link func(m state.Message, clientID string) string
}

// Triggers calls the triggers of every pool of a state. It is safe for concurrent
// use, and holds no lock while a function runs.
type Triggers struct {
	state   *state.State
	logger  *slog.Logger
	arns    map[string]Function
	key     []byte
	link    func(state.Message, string) string
	timeout time.Duration // of one attempt

	mu      sync.Mutex // guards the fields below
	hooks   map[place]Hook
	unknown map[string]bool // ARNs that were complained about
}

type place struct{ poolID, name string }

// A function has five seconds, and is tried thrice where it did not answer.
const (
	timeout  = 5 * time.Second
	attempts = 3

	maxUnknown = 1000
)

// New returns triggers that call nothing but what LambdaConfig names and ARNs has.
func New(c Config) *Triggers {
	return &Triggers{
		state: c.State, logger: c.Logger, arns: c.ARNs, key: c.SenderKey, link: c.Link, timeout: timeout,
		hooks: make(map[place]Hook), unknown: make(map[string]bool),
	}
}

// Set has a hook called at a trigger of a pool, before what LambdaConfig names. One
// without a function ends that.
func (t *Triggers) Set(poolID, name string, h Hook) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.Function == nil {
		delete(t.hooks, place{poolID, name})
		return
	}
	t.hooks[place{poolID, name}] = h
}

// hook finds what is called at a trigger of a pool.
func (t *Triggers) hook(poolID, name string) (Hook, bool) {
	t.mu.Lock()
	h, ok := t.hooks[place{poolID, name}]
	t.mu.Unlock()
	if ok {
		return h, true
	}
	arn, version := t.state.Trigger(poolID, name)
	if arn == "" {
		return Hook{}, false
	}
	f := t.arns[arn]
	if f == nil {
		t.complain(arn, name)
		return Hook{}, false
	}
	return Hook{f, version}, true
}

func (t *Triggers) complain(arn, name string) {
	t.mu.Lock()
	said := t.unknown[arn] || len(t.unknown) >= maxUnknown
	if !said {
		t.unknown[arn] = true
	}
	t.mu.Unlock()
	if !said {
		t.logger.Warn("a trigger is not called: the seed has no URL for its function", slog.String("trigger", name), slog.String("arn", arn))
	}
}

// About is whom a trigger is called about, and what the app sent along.
type About struct {
	PoolID     string
	ClientID   string // empty: an administrator's call
	User       state.User
	Validation map[string]string // ValidationData
	Metadata   map[string]string // ClientMetadata
}

// event is what a function is given and returns.
type event struct {
	Version       string         `json:"version"`
	TriggerSource string         `json:"triggerSource"`
	Region        string         `json:"region"`
	UserPoolID    string         `json:"userPoolId"`
	UserName      string         `json:"userName"`
	CallerContext caller         `json:"callerContext"`
	Request       map[string]any `json:"request"`
	Response      map[string]any `json:"response"`
}

type caller struct {
	AWSSDKVersion string `json:"awsSdkVersion"`
	ClientID      string `json:"clientId"`
}

// attributesOf are a user's attributes as functions are given them: all strings.
func attributesOf(u state.User) map[string]string {
	attributes := maps.Clone(u.Attributes)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	if u.Status != "" {
		attributes["cognito:user_status"] = u.Status
	}
	return attributes
}

// PreSignUp asks whether a user may be made. Of one whom an administrator makes,
// the verdict changes nothing.
func (t *Triggers) PreSignUp(ctx context.Context, source string, a About) (state.Verdict, error) {
	attributes := attributesOf(a.User)
	delete(attributes, "sub") // there is no user yet
	delete(attributes, "cognito:user_status")
	request := map[string]any{"userAttributes": attributes, "validationData": given(a.Validation)}
	response := map[string]any{"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false}
	answer, err := t.call(ctx, PreSignUp, source, a, "1", request, response)
	if answer == nil || err != nil {
		return state.Verdict{}, err
	}
	v, err := parseVerdict(answer)
	return v, t.shape(PreSignUp, err)
}

// PostConfirmation tells that a user is confirmed, which they are whatever the
// function says.
func (t *Triggers) PostConfirmation(ctx context.Context, source string, a About) error {
	_, err := t.call(ctx, PostConfirmation, source, a, "1", map[string]any{"userAttributes": attributesOf(a.User)}, map[string]any{})
	return err
}

// PreAuthentication asks whether somebody may try to sign in. User is zero but for
// the name where there is none such, whom clients that tell of it do not ask about.
func (t *Triggers) PreAuthentication(ctx context.Context, a About) error {
	request := map[string]any{
		"userAttributes": attributesOf(a.User), "validationData": given(a.Validation), "userNotFound": a.User.Sub() == "",
	}
	a.Metadata = nil
	_, err := t.call(ctx, PreAuthentication, beforeSignIn, a, "1", request, map[string]any{})
	return err
}

// PostAuthentication tells that somebody has shown all that they were asked for.
func (t *Triggers) PostAuthentication(ctx context.Context, a About) error {
	request := map[string]any{"userAttributes": attributesOf(a.User), "newDeviceUsed": false}
	_, err := t.call(ctx, PostAuthentication, afterSignIn, a, "1", request, map[string]any{})
	return err
}

// Groups are a person's groups and their roles.
type Groups struct {
	Names     []string
	Roles     []string
	Preferred string
}

// TokenGeneration asks what tokens are to say that have these groups and scopes.
func (t *Triggers) TokenGeneration(ctx context.Context, source string, a About, groups Groups, scopes []string) (Overrides, error) {
	h, ok := t.hook(a.PoolID, PreTokenGeneration)
	if !ok {
		return Overrides{}, nil
	}
	return t.generate(ctx, source, a, h.Version, groups, scopes)
}

// ClientCredentials asks what an access token is to say that is nobody's but a
// client's.
func (t *Triggers) ClientCredentials(ctx context.Context, poolID, clientID string, metadata map[string]string, scopes []string) (Overrides, error) {
	h, ok := t.hook(poolID, PreTokenGeneration)
	if !ok || h.Version != V3 {
		return Overrides{}, nil
	}
	a := About{PoolID: poolID, ClientID: clientID, User: state.User{Username: clientID}, Metadata: metadata}
	return t.generate(ctx, clientCredentials, a, V3, Groups{}, scopes)
}

func (t *Triggers) generate(ctx context.Context, source string, a About, version string, groups Groups, scopes []string) (Overrides, error) {
	request := map[string]any{
		"userAttributes": attributesOf(a.User),
		"groupConfiguration": map[string]any{
			"groupsToOverride": list(groups.Names), "iamRolesToOverride": list(groups.Roles), "preferredRole": nilIfEmpty(groups.Preferred),
		},
	}
	number, response, parse := "1", map[string]any{"claimsOverrideDetails": nil}, parseClaims
	if version == V2 || version == V3 {
		number = version[1:2]
		request["scopes"] = list(scopes)
		response, parse = map[string]any{"claimsAndScopeOverrideDetails": nil}, parseClaimsAndScopes
	}
	answer, err := t.call(ctx, PreTokenGeneration, source, a, number, request, response)
	if answer == nil || err != nil {
		return Overrides{}, err
	}
	o, err := parse(answer)
	return o, t.shape(PreTokenGeneration, err)
}

func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return slices.Clone(names)
}

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// call has the function of a trigger answer an event. It returns nothing where
// there is no function.
func (t *Triggers) call(ctx context.Context, name, source string, a About, version string, request, response map[string]any) (members, error) {
	h, ok := t.hook(a.PoolID, name)
	if !ok {
		return nil, nil
	}
	if len(a.Metadata) > 0 {
		request["clientMetadata"] = a.Metadata
	}
	region, _, _ := strings.Cut(a.PoolID, "_")
	e := event{
		Version: version, TriggerSource: source, Region: region, UserPoolID: a.PoolID, UserName: a.User.Username,
		CallerContext: caller{"aws-sdk-unknown-unknown", a.ClientID}, Request: request, Response: response,
	}
	if a.ClientID == "" {
		e.CallerContext.ClientID = administratorsCall
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write the event of %s: %w", name, err)
	}
	body, err := t.invoke(ctx, h.Function, name, source, b)
	if err != nil {
		return nil, err
	}
	answer, err := parseAnswer(body, source, a.PoolID)
	return answer, t.shape(name, err)
}

// invoke tries a function until it answers, or too often.
func (t *Triggers) invoke(ctx context.Context, f Function, name, source string, event []byte) ([]byte, error) {
	// Cognito does not end a function because the caller is gone.
	ctx = context.WithoutCancel(ctx)
	for attempt := 1; ; attempt++ {
		body, err := func() ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, t.timeout)
			defer cancel()
			return f(ctx, event)
		}()
		if err == nil {
			return body, nil
		}
		log := t.logger.With(slog.String("trigger", name), slog.String("source", source), slog.Any("error", err))
		var failure *Failure
		if errors.As(err, &failure) {
			log.Info("a trigger refuses")
			return nil, &state.Error{Type: state.UserLambdaValidation, Message: fmt.Sprintf("%s failed with error %s.", name, failure.Message)}
		}
		if log.Warn("a trigger does not answer", slog.Int("attempt", attempt)); attempt == attempts {
			return nil, &state.Error{Type: state.UnexpectedLambda, Message: fmt.Sprintf("%s invocation failed due to error %s.", name, reason(err))}
		}
	}
}

// shape is what the caller is told of an answer that could not be read.
func (t *Triggers) shape(name string, err error) error {
	if err == nil {
		return nil
	}
	t.logger.Warn("a trigger answers in a shape that Cognito does not take", slog.String("trigger", name), slog.Any("error", err))
	return &state.Error{Type: state.InvalidLambdaResponse, Message: "Unrecognizable lambda output"}
}
