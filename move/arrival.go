package move

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/refused"
)

// OldAPI is what an [Arrival] asks the old pool. A *cognitoidentityprovider.Client
// fulfils it. None of it writes.
type OldAPI interface {
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
	AdminInitiateAuth(context.Context, *cip.AdminInitiateAuthInput, ...func(*cip.Options)) (*cip.AdminInitiateAuthOutput, error)
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
	AdminListGroupsForUser(context.Context, *cip.AdminListGroupsForUserInput, ...func(*cip.Options)) (*cip.AdminListGroupsForUserOutput, error)
	GetUserPoolMfaConfig(context.Context, *cip.GetUserPoolMfaConfigInput, ...func(*cip.Options)) (*cip.GetUserPoolMfaConfigOutput, error)
}

// NewAPI is what an [Arrival] asks of the new pool.
type NewAPI interface {
	DescribeUserPool(context.Context, *cip.DescribeUserPoolInput, ...func(*cip.Options)) (*cip.DescribeUserPoolOutput, error)
	GetUserPoolMfaConfig(context.Context, *cip.GetUserPoolMfaConfigInput, ...func(*cip.Options)) (*cip.GetUserPoolMfaConfigOutput, error)
	AdminAddUserToGroup(context.Context, *cip.AdminAddUserToGroupInput, ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error)
	AdminLinkProviderForUser(context.Context, *cip.AdminLinkProviderForUserInput, ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error)
	AdminUpdateUserAttributes(context.Context, *cip.AdminUpdateUserAttributesInput, ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error)
}

// ArrivalConfig configures an [Arrival]. Old, New, OldClientID and Tickets are required.
type ArrivalConfig struct {
	Old OldAPI
	New NewAPI

	// Tickets are those of the move, with the key that the application has.
	Tickets *Tickets

	// OldClientID is an app client of the old pool that allows ALLOW_ADMIN_USER_PASSWORD_AUTH.
	OldClientID     string
	OldClientSecret cognito.Secret // of that client, if it has one

	// WithoutSecondFactor lets people whose second factor does not move come with their
	// password alone. Defaults to false: these people are refused. A new pool that requires a
	// second factor does not help: the first person who has the password would set it up.
	// Codes by SMS move, if the new pool has them and the person has no other second factor.
	WithoutSecondFactor bool

	// ForgotPassword lets people come by "forgot password", too: the new pool sends a code
	// to what the old one has verified. Anybody can begin that for anybody, and then the
	// password of before is worth nothing. Defaults to false.
	ForgotPassword bool

	// Attributes are those that the new pool has, and ByAddress says that it names people by
	// address or number, as [Plan] has both. A function with them asks the pool nothing about
	// itself, however often it starts. Defaults to none: it asks once for each start.
	Attributes []string
	ByAddress  bool

	// Logger receives who has come, by sub, and why somebody could not. Defaults to none.
	Logger *slog.Logger
}

// Arrival is the trigger of the new pool, for UserMigration (both sources) and
// PreTokenGeneration. It is safe for concurrent use. Make one with [NewArrival].
type Arrival struct {
	ArrivalConfig

	mu       sync.Mutex
	new      *newPool // nil: not read yet
	required *codes   // nil: not read yet
	sms      bool     // the new pool has codes by SMS; false: not read yet, or it had none
}

// newPool is what has to be known of the new pool.
type newPool struct {
	attributes []string // that its schema has
	fixed      []string // of these, which nobody can change
	emails     bool     // people are named by address or number, and it makes usernames by itself
	required   codes    // of the old pool, where a drain asks
	offered    codes    // of this one, beside which a password can be reset, where a drain asks
}

// NewArrival returns the trigger. It reaches out to nothing.
func NewArrival(config ArrivalConfig) (*Arrival, error) {
	if config.Old == nil || config.New == nil || config.Tickets == nil || config.OldClientID == "" {
		return nil, errors.New("configure the arrival: Old, New, Tickets and OldClientID are required")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Arrival{ArrivalConfig: config}
	if len(config.Attributes) > 0 {
		if !slices.Contains(config.Attributes, Attribute) {
			return nil, errors.New("configure the arrival: Attributes lack " + Attribute + "; take them from codegrant move plan")
		}
		a.new = &newPool{attributes: slices.Clone(config.Attributes), emails: config.ByAddress}
	}
	return a, nil
}

// refusal is what the pool shows people who cannot come, so it is a sentence.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errWrongPassword refusal = "Incorrect username or password."
	errSecondFactor  refusal = "This account needs a second factor, which has not moved. Contact support."
	errResetFirst    refusal = "This password has to be reset. Choose \"forgot password\"."
	errOldPool       refusal = "Sign-in does not work right now. Try again in some minutes."
)

// Handle answers an event of the new pool's, as a Lambda function does: it returns the
// event with its response filled in. Its errors are for people, without a cause; the log
// has that. An event of any other trigger is returned as it came.
func (a *Arrival) Handle(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	var e map[string]json.RawMessage
	var about struct {
		Version  string `json:"version"`
		Source   string `json:"triggerSource"`
		PoolID   string `json:"userPoolId"`
		UserName string `json:"userName"`
		Request  struct {
			Password   string            `json:"password"`
			Attributes map[string]string `json:"userAttributes"`
			Groups     struct {
				GroupsToOverride []string `json:"groupsToOverride"`
			} `json:"groupConfiguration"`
		} `json:"request"`
	}
	if err := errors.Join(json.Unmarshal(event, &e), json.Unmarshal(event, &about)); err != nil {
		return nil, fmt.Errorf("read the event of the pool: %w", err)
	}
	if about.PoolID != a.Tickets.new {
		return nil, fmt.Errorf("the event is of the pool %s, and the move goes to %s", about.PoolID, a.Tickets.new)
	}
	var response any
	var err error
	switch {
	case about.Source == "UserMigration_Authentication":
		response, err = a.signIn(ctx, about.UserName, about.Request.Password)
	case about.Source == "UserMigration_ForgotPassword":
		response, err = a.forgot(ctx, about.UserName)
	case strings.HasPrefix(about.Source, "TokenGeneration_") && about.Request.Attributes[Attribute] != "" &&
		!strings.HasSuffix(about.Request.Attributes[Attribute], complete):
		response, err = a.groups(ctx, about.Version, about.UserName, about.Request.Attributes[Attribute], about.Request.Groups.GroupsToOverride)
	}
	if err != nil {
		return nil, err
	}
	if response != nil {
		if e["response"], err = json.Marshal(response); err != nil {
			return nil, err
		}
	}
	return json.Marshal(e)
}

// migrated is the response of the migrate-user trigger.
type migrated struct {
	Attributes    map[string]string `json:"userAttributes"`
	Status        string            `json:"finalUserStatus,omitempty"`
	MessageAction string            `json:"messageAction"`
	SMSMFA        bool              `json:"enableSMSMFA,omitempty"` // the type of aws-lambda-go 1.55.1 lacks it
}

// signIn has the old pool judge a password.
func (a *Arrival) signIn(ctx context.Context, username, password string) (*migrated, error) {
	parameters := map[string]string{"USERNAME": username, "PASSWORD": password}
	if a.OldClientSecret != "" {
		parameters["SECRET_HASH"] = a.secretHash(username)
	}
	answer, err := a.Old.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{
		UserPoolId: &a.Tickets.old, ClientId: &a.OldClientID, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth, AuthParameters: parameters,
	})
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	user, err := a.oldUser(ctx, username)
	if err != nil {
		return nil, err
	}
	pool, err := a.pool(ctx)
	if err != nil {
		return nil, err
	}
	status, has, temporary := "CONFIRMED", user.factors, false
	switch answer.ChallengeName {
	case "", types.ChallengeNameTypeMfaSetup: // a factor that there is not yet cannot be lost
	case types.ChallengeNameTypeNewPasswordRequired: // somebody else has chosen it
		temporary = true
		required, err := a.requiredCodes(ctx) // for which the old pool has not asked yet
		if err != nil {
			return nil, err
		}
		has.codes = has.or(required.of(user))
	default:
		has = has.with(string(answer.ChallengeName))
	}
	sms, err := a.keepsSMS(ctx, user, has)
	if err != nil {
		return nil, err
	}
	switch {
	case has.any() && !sms && !a.WithoutSecondFactor:
		return nil, a.notMoved(ctx, user, "a second factor", errSecondFactor)
	case temporary && sms:
		ok, err := a.resetsByEmail(ctx, user)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, a.notMoved(ctx, user, "a password that somebody else has chosen, and only the number of the second factor to reset it by", errResetFirst)
		}
		status = "RESET_REQUIRED"
	case temporary && !user.reachable():
		return nil, a.notMoved(ctx, user, "a password that somebody else has chosen, and nothing verified to reset it by", errResetFirst)
	case temporary:
		status = "RESET_REQUIRED"
	}
	if err := a.mayArrive(ctx, user); err != nil {
		return nil, err
	}
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "moved", slog.String("sub", user.sub))
	return &migrated{Attributes: a.attributesFor(pool, user, username), Status: status, MessageAction: "SUPPRESS", SMSMFA: sms}, nil
}

// secretHash is what an app client with a secret proves itself with.
func (a *Arrival) secretHash(username string) string {
	h := hmac.New(sha256.New, []byte(a.OldClientSecret))
	h.Write([]byte(username + a.OldClientID))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// mayArrive refuses whoever has left the new pool.
func (a *Arrival) mayArrive(ctx context.Context, user person) error {
	switch err := a.Tickets.mayArrive(ctx, "", user.sub, ""); {
	case errors.Is(err, ErrLeft):
		return a.notMoved(ctx, user, "they have left: the new pool has had them, and they were deleted there", errWrongPassword)
	case err != nil:
		a.Logger.LogAttrs(ctx, slog.LevelError, "nobody says who has left", slog.String("reason", err.Error()))
		return errOldPool
	}
	return nil
}

// notMoved puts on record why somebody does not come.
func (a *Arrival) notMoved(ctx context.Context, user person, why string, err error) error {
	a.Logger.LogAttrs(ctx, slog.LevelWarn, "not moved", slog.String("sub", user.sub), slog.String("reason", why))
	return err
}

// refused says to people what the old pool has said, and no more.
func (a *Arrival) refused(ctx context.Context, err error) error {
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "not moved", slog.String("reason", kindOf(err)))
	var reset *types.PasswordResetRequiredException
	var wrong *types.NotAuthorizedException
	var unknown *types.UserNotFoundException
	var unconfirmed *types.UserNotConfirmedException
	switch {
	case errors.As(err, &reset):
		return errResetFirst
	case errors.As(err, &wrong), errors.As(err, &unknown), errors.As(err, &unconfirmed):
		return errWrongPassword
	}
	return errOldPool
}

// kindOf is what the log says of an answer: its type. A message could repeat a name.
func kindOf(err error) string {
	for _, known := range []error{errNoName, errAnother, errNotSaid} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return cmp.Or(refused.Code(err), "the old pool could not be asked")
}

// forgot lets somebody come who has forgotten their password: the new pool sends a code to
// an address or number that the old one has verified.
func (a *Arrival) forgot(ctx context.Context, username string) (*migrated, error) {
	if !a.ForgotPassword {
		return nil, errWrongPassword
	}
	user, err := a.oldUser(ctx, username)
	switch {
	case err != nil:
		return nil, err
	case !user.enabled || !user.reachable() || user.status == types.UserStatusTypeExternalProvider || user.status == types.UserStatusTypeUnconfirmed:
		return nil, errWrongPassword
	}
	if !a.WithoutSecondFactor {
		required, err := a.requiredCodes(ctx)
		if err != nil {
			return nil, err
		}
		if user.factors.any() || required.of(user).any() { // a code by SMS would go to where the new password comes from
			return nil, a.notMoved(ctx, user, "a second factor", errSecondFactor)
		}
	}
	if err := a.mayArrive(ctx, user); err != nil {
		return nil, err
	}
	pool, err := a.pool(ctx)
	if err != nil {
		return nil, err
	}
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "moved", slog.String("sub", user.sub), slog.String("by", "forgot password"))
	return &migrated{Attributes: a.attributesFor(pool, user, username), Status: "RESET_REQUIRED", MessageAction: "SUPPRESS"}, nil
}

// person is a user of a pool.
type person struct {
	sub, username string
	enabled       bool
	status        types.UserStatusType
	factors       factors // where they are known
	again         bool    // has left, and an operator brings them back
	attributes    map[string]string
}

func personOf(username *string, enabled bool, status types.UserStatusType, attributes []types.AttributeType) person {
	p := person{username: aws.ToString(username), enabled: enabled, status: status, attributes: make(map[string]string)}
	for _, at := range attributes {
		p.attributes[aws.ToString(at.Name)] = aws.ToString(at.Value)
	}
	p.sub = p.attributes["sub"]
	return p
}

// verified returns an address or number where the pool has verified it, and else "".
func (p person) verified(name string) string {
	if strings.EqualFold(p.attributes[name+"_verified"], "true") {
		return p.attributes[name]
	}
	return ""
}

// reachable reports whether the person can reset a password.
func (p person) reachable() bool { return p.verified("email")+p.verified("phone_number") != "" }

func (a *Arrival) oldUser(ctx context.Context, username string) (person, error) {
	found, err := a.Old.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &a.Tickets.old, Username: &username})
	if err != nil {
		return person{}, a.refused(ctx, err)
	}
	p := personOf(found.Username, found.Enabled, found.UserStatus, found.UserAttributes)
	p.factors = factorsOf(found, codes{}, p)
	return p, nil
}

// pool reads the new pool once.
func (a *Arrival) pool(ctx context.Context) (*newPool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.new != nil {
		return a.new, nil
	}
	found, err := a.New.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &a.Tickets.new})
	if err != nil {
		a.Logger.LogAttrs(ctx, slog.LevelError, "the new pool cannot be described", slog.String("reason", kindOf(err)))
		return nil, errOldPool
	}
	a.new = describe(found.UserPool)
	if !slices.Contains(a.new.attributes, Attribute) {
		a.Logger.LogAttrs(ctx, slog.LevelError, "the new pool has no attribute "+Attribute)
		a.new = nil
		return nil, errOldPool // people would come as somebody new
	}
	return a.new, nil
}

func describe(pool *types.UserPoolType) *newPool {
	n := &newPool{emails: len(pool.UsernameAttributes) > 0}
	for _, at := range pool.SchemaAttributes {
		n.attributes = append(n.attributes, aws.ToString(at.Name))
		if at.Mutable != nil && !*at.Mutable {
			n.fixed = append(n.fixed, aws.ToString(at.Name))
		}
	}
	return n
}

// attributesFor are those that the new pool can have, with the ticket.
func (a *Arrival) attributesFor(pool *newPool, user person, typed string) map[string]string {
	attributes := movable(pool, user.attributes)
	attributes[Attribute] = a.Tickets.Issue(user.sub)
	if !pool.emails && typed != user.username {
		attributes["username"] = user.username // they signed in by an alias
	}
	return attributes
}

// movable are the attributes that mean the same in the new pool.
func movable(pool *newPool, attributes map[string]string) map[string]string {
	out := maps.Clone(attributes)
	maps.DeleteFunc(out, func(name, value string) bool {
		return name == "sub" || name == "identities" || name == Attribute || value == "" || strings.HasPrefix(name, "cognito:") || !slices.Contains(pool.attributes, name)
	})
	return out
}

// groups puts somebody who has come into the groups that they were in, and says so in the
// tokens that are being made. Then the ticket says that it is done: whoever is taken out of
// a group afterwards stays out.
func (a *Arrival) groups(ctx context.Context, version, username, ticket string, now []string) (any, error) {
	subject, err := a.Tickets.Open(ticket)
	if err != nil {
		a.Logger.LogAttrs(ctx, slog.LevelWarn, "an attribute is not a ticket", slog.String("reason", err.Error()))
		return nil, nil // the application refuses them
	}
	// Not every pool takes a sub as a name.
	filter := fmt.Sprintf("sub = %q", subject)
	found, err := a.Old.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: &a.Tickets.old, Filter: &filter, Limit: aws.Int32(1)})
	if err != nil {
		return nil, a.groupsFailed(ctx, subject, err)
	}
	groups := slices.Clone(now)
	if len(found.Users) > 0 {
		u := found.Users[0]
		if err := a.Tickets.link(ctx, a.New.AdminLinkProviderForUser, a.Logger, personOf(u.Username, u.Enabled, u.UserStatus, u.Attributes), username); err != nil {
			return nil, a.groupsFailed(ctx, subject, err)
		}
		was, err := groupsOf(ctx, a.Old, a.Tickets.old, aws.ToString(found.Users[0].Username))
		if err != nil {
			return nil, a.groupsFailed(ctx, subject, err)
		}
		for _, group := range was {
			if slices.Contains(now, group) {
				continue // since an earlier sign-in that the pool did not wait for
			}
			if _, err := a.New.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &a.Tickets.new, Username: &username, GroupName: &group}); err != nil {
				return nil, a.groupsFailed(ctx, subject, err)
			}
			if !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		}
	}
	if _, err := a.New.AdminUpdateUserAttributes(ctx, &cip.AdminUpdateUserAttributesInput{
		UserPoolId: &a.Tickets.new, Username: &username, UserAttributes: []types.AttributeType{{Name: aws.String(Attribute), Value: aws.String(ticket + complete)}},
	}); err != nil {
		return nil, a.groupsFailed(ctx, subject, err)
	}
	if len(groups) == len(now) {
		return nil, nil
	}
	name := "claimsOverrideDetails"
	if version != "1" {
		name = "claimsAndScopeOverrideDetails"
	}
	return map[string]any{name: map[string]any{"groupOverrideDetails": map[string]any{"groupsToOverride": groups}}}, nil
}

// groupsFailed refuses the sign-in: with fewer groups than they have, people would see a
// service that is not theirs. The next try has them.
func (a *Arrival) groupsFailed(ctx context.Context, subject string, err error) error {
	a.Logger.LogAttrs(ctx, slog.LevelError, "groups not moved", slog.String("sub", subject), slog.String("reason", kindOf(err)))
	return errOldPool
}

// groupsOf lists the groups of somebody of the old pool, but those of its providers.
func groupsOf(ctx context.Context, api interface {
	AdminListGroupsForUser(context.Context, *cip.AdminListGroupsForUserInput, ...func(*cip.Options)) (*cip.AdminListGroupsForUserOutput, error)
}, pool, username string) (names []string, err error) {
	var next *string
	for {
		page, err := api.AdminListGroupsForUser(ctx, &cip.AdminListGroupsForUserInput{UserPoolId: &pool, Username: &username, NextToken: next})
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			if name := aws.ToString(g.GroupName); !ofProvider(pool, name) {
				names = append(names, name)
			}
		}
		if next = page.NextToken; next == nil {
			return names, nil
		}
	}
}

// ofProvider reports whether a pool made the group for an identity provider.
func ofProvider(pool, group string) bool { return strings.HasPrefix(group, pool+"_") }
