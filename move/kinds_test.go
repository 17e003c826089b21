package move

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// link gives somebody of the old pool an account at Google.
func (w *world) link(t *testing.T, username, id string) {
	t.Helper()
	if _, err := w.AdminLinkProviderForUser(t.Context(), &cip.AdminLinkProviderForUserInput{
		UserPoolId:      aws.String(oldPool),
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: &username},
		SourceUser:      &types.ProviderUserIdentifierType{ProviderName: aws.String("Google"), ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: &id},
	}); err != nil {
		t.Fatal(err)
	}
}

// provider makes an identity provider.
func (w *world) provider(t *testing.T, pool string, kind types.IdentityProviderTypeType, name string) {
	t.Helper()
	details := map[string]string{"client_id": "a", "client_secret": "b", "authorize_scopes": "openid email"}
	if kind == types.IdentityProviderTypeTypeOidc {
		details["attributes_request_method"], details["oidc_issuer"] = "GET", "https://corp.example.com"
	}
	if _, err := w.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: &pool, ProviderName: &name, ProviderType: kind, ProviderDetails: details}); err != nil {
		t.Fatal(err)
	}
}

// newLinked are both pools with Google. alice and dora have accounts there.
func newLinked(t *testing.T, change func(*ArrivalConfig)) *world {
	t.Helper()
	w := newWorld(t, change)
	for _, pool := range []string{oldPool, newPoolID} {
		w.provider(t, pool, types.IdentityProviderTypeTypeGoogle, "Google")
	}
	w.link(t, "alice", "17")
	w.link(t, "dora", "18")
	w.tickets.Providers = []string{"Google"}
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) accounts(t *testing.T, username string) string {
	t.Helper()
	p, _, _ := w.find(t, newPoolID, username)
	var all []string
	for _, a := range accountsOf(p) {
		all = append(all, a.ProviderName+" "+a.UserID)
	}
	return strings.Join(all, ", ")
}

// TestS796_LinkedAccounts: an account at a provider that is linked in the old pool is linked
// in the new one, once the person is there; a plan says who they are, and they can be made
// before anybody signs in.
func TestS796_LinkedAccounts(t *testing.T) {
	w := newLinked(t, nil)
	has := func(p Plan) bool {
		for _, f := range p.Faults {
			if strings.Contains(f.What, "linked to it") && strings.Contains(f.Fix, "drain --linked") {
				return true
			}
		}
		return false
	}
	p, err := w.move(t, w.Client).Plan(t.Context())
	if err != nil || p.Linked["Google"] != 2 || !has(p) {
		t.Errorf("%+v, %v", p, err)
	}
	// By themselves, with their password.
	if _, err := w.signIn(t, "alice", password); err != nil || w.accounts(t, "alice") != "Google 17" {
		t.Errorf("alice has %q, %v", w.accounts(t, "alice"), err)
	}
	// Made, and nobody else.
	allow := func(c *Config) { c.OnlyLinked, c.WithoutSecondFactor = true, true }
	if d, err := w.move(t, w.Client, allow).Drain(t.Context(), true); err != nil || d.Made != 1 || w.accounts(t, "dora") != "" {
		t.Errorf("dry: %+v, %v", d, err)
	}
	d, err := w.move(t, w.Client, allow).Drain(t.Context(), false)
	if err != nil || d.Made != 1 || d.Failed != 0 || w.accounts(t, "dora") != "Google 18" {
		t.Errorf("%+v, %v", d, err)
	}
	if bob, _, _ := w.find(t, newPoolID, "bob"); bob.sub != "" {
		t.Error("bob was made")
	}
	if p, err = w.move(t, w.Client).Plan(t.Context()); err != nil || has(p) {
		t.Errorf("afterwards: %+v, %v", p.Faults, err)
	}
	// Of no provider of the move.
	w = newLinked(t, nil)
	w.tickets.Providers = nil
	if _, err := w.signIn(t, "alice", password); err != nil || w.accounts(t, "alice") != "" {
		t.Errorf("alice has %q, %v", w.accounts(t, "alice"), err)
	}
}

// TestS796_TheNewPoolLacksTheProvider: a plan says so, and nobody is complete until it is
// there.
func TestS796_TheNewPoolLacksTheProvider(t *testing.T) {
	w := newLinked(t, nil)
	if _, err := w.DeleteIdentityProvider(t.Context(), &cip.DeleteIdentityProviderInput{UserPoolId: aws.String(newPoolID), ProviderName: aws.String("Google")}); err != nil {
		t.Fatal(err)
	}
	lacks := func() bool {
		p, err := w.move(t, w.Client).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(p.Faults, func(f Finding) bool { return strings.Contains(f.What, "no identity provider Google") && f.Fix != "" })
	}
	if !lacks() {
		t.Error("a plan does not find it")
	}
	allow := func(c *Config) { c.OnlyLinked, c.WithoutSecondFactor = true, true }
	if d, err := w.move(t, w.Client, allow).Drain(t.Context(), false); err != nil || d.Made != 0 || d.Failed != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	w.provider(t, newPoolID, types.IdentityProviderTypeTypeGoogle, "Google")
	if lacks() {
		t.Error("a plan does not see it")
	}
	if d, err := w.move(t, w.Client, allow).Drain(t.Context(), false); err != nil || d.Made != 2 || d.Failed != 0 || w.accounts(t, "alice") != "Google 17" || w.accounts(t, "dora") != "Google 18" {
		t.Errorf("%+v, %v: %q %q", d, err, w.accounts(t, "alice"), w.accounts(t, "dora"))
	}
}

// TestS796_LinkedByAnAttribute: a pool does not say by which attribute an account is linked,
// and a plan says that.
func TestS796_LinkedByAnAttribute(t *testing.T) {
	w := newLinked(t, nil)
	for _, pool := range []string{oldPool, newPoolID} {
		w.provider(t, pool, types.IdentityProviderTypeTypeOidc, "Corp")
	}
	if _, err := w.AdminLinkProviderForUser(t.Context(), &cip.AdminLinkProviderForUserInput{UserPoolId: aws.String(oldPool),
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: aws.String("bob")},
		SourceUser:      &types.ProviderUserIdentifierType{ProviderName: aws.String("Corp"), ProviderAttributeName: aws.String("email"), ProviderAttributeValue: aws.String("bob@corp.example")}}); err != nil {
		t.Fatal(err)
	}
	w.tickets.Providers = []string{"Google", "Corp"}
	p, err := w.move(t, w.Client).Plan(t.Context())
	if err != nil || !slices.ContainsFunc(p.Notes, func(f Finding) bool {
		return strings.Contains(f.What, "1 people have an account at Corp") && f.Fix != ""
	}) {
		t.Errorf("%+v, %v", p.Notes, err)
	}
}

// TestS796_ATriggerWithoutProviders: whoever has come without their account, since the
// trigger did not know its provider, is counted, and gets it when an operator asks for that.
func TestS796_ATriggerWithoutProviders(t *testing.T) {
	w := newLinked(t, nil)
	w.tickets.Providers = nil
	if _, err := w.signIn(t, "alice", password); err != nil || w.accounts(t, "alice") != "" {
		t.Fatalf("%q, %v", w.accounts(t, "alice"), err)
	}
	w.tickets.Providers = []string{"Google"}
	faults := func() (n int) {
		p, err := w.move(t, w.Client).Plan(t.Context())
		if err != nil || !slices.Equal(p.Providers, w.tickets.Providers) {
			t.Fatal(p.Providers, err)
		}
		for _, f := range p.Faults {
			if strings.Contains(f.What, "arrived without their linked account at Google") && strings.Contains(f.Fix, "PROVIDERS") {
				n += p.Unlinked["Google"]
			}
		}
		return n
	}
	if faults() != 1 {
		t.Error("a plan does not count her")
	}
	only := func(c *Config) { c.OnlyLinked = true }
	if d, err := w.move(t, w.Client).Drain(t.Context(), false); err != nil || d.Relinked != 0 || w.accounts(t, "alice") != "" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := w.move(t, w.Client, only).Drain(t.Context(), true); err != nil || d.Relinked != 1 || w.accounts(t, "alice") != "" {
		t.Errorf("dry: %+v, %v", d, err)
	}
	if d, err := w.move(t, w.Client, only).Drain(t.Context(), false); err != nil || d.Relinked != 1 || d.Failed != 0 || w.accounts(t, "alice") != "Google 17" {
		t.Errorf("%+v, %v, %q", d, err, w.accounts(t, "alice"))
	}
	if faults() != 0 {
		t.Error("a plan counts her still")
	}
}

// noLinks is a new pool that does not link, and says why.
type noLinks struct {
	NewAPI
	err error
}

func (n noLinks) AdminLinkProviderForUser(context.Context, *cip.AdminLinkProviderForUserInput, ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error) {
	return nil, n.err
}

// TestS796_WhatCannotBeLinked: an account that the new pool refuses for good keeps nobody
// out; one that it cannot link now is linked at the next sign-in.
func TestS796_WhatCannotBeLinked(t *testing.T) {
	var api noLinks
	set := func(err error) func(*ArrivalConfig) {
		return func(c *ArrivalConfig) { api = noLinks{c.New, err}; c.New = api }
	}
	w := newLinked(t, set(&types.InvalidParameterException{Message: aws.String("Merging is not currently supported")}))
	if _, err := w.signIn(t, "alice", password); err != nil || !strings.Contains(w.log.String(), "is not linked") {
		t.Errorf("%v, %s", err, w.log)
	}
	w = newLinked(t, set(&types.InvalidParameterException{Message: aws.String("The provider Google does not exist for User Pool")}))
	if _, err := w.signIn(t, "alice", password); err == nil {
		t.Error("signed in without the account, for good")
	}
	w = newLinked(t, set(&types.TooManyRequestsException{}))
	if _, err := w.signIn(t, "alice", password); err == nil {
		t.Error("signed in without the account")
	}
	w.arrival.New = api.NewAPI
	if _, err := w.signIn(t, "alice", password); err != nil || w.accounts(t, "alice") != "Google 17" {
		t.Errorf("alice has %q, %v", w.accounts(t, "alice"), err)
	}
}

// TestS797_WithoutAPassword: whoever has none cannot come by themselves, since the pool asks
// no trigger about them. Once they are made, they sign in with a code, as who they were.
func TestS797_WithoutAPassword(t *testing.T) {
	w := newWorld(t, nil)
	w.deploy(t)
	if _, err := w.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(oldPool), Username: aws.String("nora"), MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String("nora@example.com")}, {Name: aws.String("email_verified"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newPoolID), Policies: &types.UserPoolPolicyType{
		SignInPolicy: &types.SignInPolicyType{AllowedFirstAuthFactors: []types.AuthFactorType{types.AuthFactorTypePassword, types.AuthFactorTypeEmailOtp}},
	}}); err != nil {
		t.Fatal(err)
	}
	w.deploy(t) // an update takes triggers away that it does not name
	if _, err := w.UpdateUserPoolClient(t.Context(), &cip.UpdateUserPoolClientInput{UserPoolId: aws.String(newPoolID), ClientId: aws.String("web"),
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserAuth, types.ExplicitAuthFlowsTypeAllowUserPasswordAuth}}); err != nil {
		t.Fatal(err)
	}
	byCode := func() (*cip.RespondToAuthChallengeOutput, error) {
		asked, err := w.InitiateAuth(t.Context(), &cip.InitiateAuthInput{ClientId: aws.String("web"), AuthFlow: types.AuthFlowTypeUserAuth,
			AuthParameters: map[string]string{"USERNAME": "nora", "PREFERRED_CHALLENGE": "EMAIL_OTP"}})
		if err != nil {
			return nil, err
		}
		code, ok := w.pools.LastCode("nora@example.com")
		if !ok {
			return nil, errors.New("no code was sent")
		}
		return w.RespondToAuthChallenge(t.Context(), &cip.RespondToAuthChallengeInput{ClientId: aws.String("web"), ChallengeName: types.ChallengeNameTypeEmailOtp,
			Session: asked.Session, ChallengeResponses: map[string]string{"USERNAME": "nora", "EMAIL_OTP_CODE": code}})
	}
	if out, err := byCode(); err == nil {
		t.Errorf("came by a code: %+v", out)
	}
	if p, _, _ := w.find(t, newPoolID, "nora"); p.sub != "" {
		t.Errorf("%+v", p)
	}
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if d, err := w.move(t, w.Client).Drain(t.Context(), false); err != nil || d.Failed != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	out, err := byCode()
	if err != nil || out.AuthenticationResult == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	was, _, _ := w.find(t, oldPool, "nora")
	body, err := decodeSegment(strings.Split(aws.ToString(out.AuthenticationResult.IdToken), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	ticket, _ := claims[Attribute].(string)
	if sub, err := w.tickets.Open(ticket); err != nil || sub != was.sub {
		t.Errorf("their ticket %q says %q, %v", ticket, sub, err)
	}
}

// TestS798_RollbackAtEveryStep: after the plan, the groups, the arrival of some, each write
// of a drain and its end, the old pool lets the same people in as before, in the same groups.
func TestS798_RollbackAtEveryStep(t *testing.T) {
	everybody := []string{"alice", "bob", "carol", "dora", "emil", "finn", "gina"}
	stands := func(w *world) string {
		t.Helper()
		var all strings.Builder
		for _, username := range everybody {
			out, err := w.AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
				UserPoolId: aws.String(oldPool), ClientId: aws.String("ask"), AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
				AuthParameters: map[string]string{"USERNAME": username, "PASSWORD": password, "SECRET_HASH": w.arrival.secretHash(username)},
			})
			p, status, groups := w.find(t, oldPool, username)
			all.WriteString(username + " " + p.sub + " " + status + " " + strings.Join(groups, ",") + " ")
			if err != nil {
				all.WriteString(kindOf(err) + "\n")
				continue
			}
			all.WriteString(string(out.ChallengeName) + "\n")
		}
		return all.String()
	}
	for cut := 0; ; cut++ {
		w := newWorld(t, nil)
		w.deploy(t)
		before := stands(w)
		same := func(step string) {
			t.Helper()
			if after := stands(w); after != before {
				t.Fatalf("after %s:\n%s\nbefore:\n%s", step, after, before)
			}
		}
		if cut == 0 {
			if _, err := w.move(t, w.Client).Plan(t.Context()); err != nil {
				t.Fatal(err)
			}
			same("the plan")
		}
		if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		for _, username := range everybody[:2] {
			if _, err := w.signIn(t, username, password); err != nil {
				t.Fatal(err)
			}
		}
		if cut == 0 {
			same("the switch")
		}
		d, err := w.move(t, &cutOff{WriteAPI: w.Client, left: cut}).Drain(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		same("a drain that was cut off")
		if d.Failed == 0 {
			return
		}
	}
}

// TestS775_WhatPeopleSee: whoever is refused sees one text, whatever the reason is.
func TestS775_WhatPeopleSee(t *testing.T) {
	w := newWorld(t, nil)
	w.deploy(t)
	for _, tt := range []struct{ username, password string }{
		{"alice", "Wr0ng!pass"}, {"nobody", password}, {"carol", password}, {"dora", password}, {"emil", password},
	} {
		var refused *types.NotAuthorizedException
		if _, err := w.signIn(t, tt.username, tt.password); !errors.As(err, &refused) || refused.ErrorMessage() != "Incorrect username or password." {
			t.Errorf("%s: %v", tt.username, err)
		}
	}
}

// TestS775_NothingIsAskedAtAStart: a function that knows the new pool does not describe it,
// and brings people with the same attributes.
func TestS775_NothingIsAskedAtAStart(t *testing.T) {
	w := newWorld(t, nil)
	p, err := w.move(t, w.Client).Plan(t.Context())
	if err != nil || p.ByAddress || len(p.Attributes) < 10 {
		t.Fatalf("%+v, %v", p, err)
	}
	config := w.arrival.ArrivalConfig
	config.New, config.Attributes = noDescription{config.New}, p.Attributes
	if w.arrival, err = NewArrival(config); err != nil {
		t.Fatal(err)
	}
	w.deploy(t)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.signIn(t, "alice", password); err != nil {
		t.Fatal(err)
	}
	if is, _, groups := w.find(t, newPoolID, "alice"); is.attributes["name"] != "Alice" || len(groups) != 2 {
		t.Errorf("%+v %q", is, groups)
	}
	config.Attributes = []string{"email"}
	if _, err := NewArrival(config); err == nil {
		t.Error("people would come as somebody new")
	}
}

type noDescription struct{ NewAPI }

func (noDescription) DescribeUserPool(context.Context, *cip.DescribeUserPoolInput, ...func(*cip.Options)) (*cip.DescribeUserPoolOutput, error) {
	return nil, errors.New("asked")
}
