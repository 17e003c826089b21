package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// federated is an old pool with one person of Google.
type federated struct {
	OldAPI
	enabled bool
}

func (f federated) ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	return &cip.ListUsersOutput{Users: []types.UserType{{Username: aws.String("Google_17"), Enabled: f.enabled, UserStatus: types.UserStatusTypeExternalProvider,
		Attributes: []types.AttributeType{{Name: aws.String("sub"), Value: aws.String("old-17")}}}}}, nil
}

// TestS770_ADisabledPersonOfAProvider: whom the old pool has disabled is not let in by the
// account at a provider, neither as who they were nor as somebody new.
func TestS770_ADisabledPersonOfAProvider(t *testing.T) {
	w := newWorld(t, nil)
	if sub, err := w.tickets.Find(federated{enabled: true})(t.Context(), "Google_17"); sub != "old-17" || err != nil {
		t.Errorf("%q, %v", sub, err)
	}
	if sub, err := w.tickets.Find(federated{})(t.Context(), "Google_17"); sub != "" || !errors.Is(err, ErrDisabled) {
		t.Errorf("disabled: %q, %v", sub, err)
	}
}

// TestS775_ARequiredSecondFactor: where the old pool asks everybody for a code, nobody whom
// it can reach comes without it, though it is no setting of theirs.
func TestS775_ARequiredSecondFactor(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		w := newWorld(t, func(c *ArrivalConfig) { c.ForgotPassword, c.WithoutSecondFactor = true, allowed })
		w.deploy(t)
		if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"bob", "alice"} {
			if _, err := w.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(oldPool), Username: aws.String(name), UserAttributes: []types.AttributeType{
				{Name: aws.String("phone_number"), Value: aws.String("+15550100")}, {Name: aws.String("phone_number_verified"), Value: aws.String("true")}}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.SetUserPoolMfaConfig(t.Context(), &cip.SetUserPoolMfaConfigInput{UserPoolId: aws.String(oldPool), MfaConfiguration: types.UserPoolMfaTypeOn,
			SmsMfaConfiguration: &types.SmsMfaConfigType{SmsConfiguration: &types.SmsConfigurationType{SnsCallerArn: aws.String("arn:aws:iam::123456789012:role/sms")}}}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("web"), Username: aws.String("alice")})
		if p, _, _ := w.find(t, newPoolID, "alice"); (p.sub != "") != allowed {
			t.Errorf("allowed %t: by a forgotten password: %+v", allowed, p)
		}
		d, err := w.move(t, w.Client, func(c *Config) { c.WithoutSecondFactor = allowed }).Drain(t.Context(), false)
		if err != nil || d.Failed != 0 || (d.SecondFactor == 0) != allowed {
			t.Errorf("allowed %t: %+v, %v", allowed, d, err)
		}
		for name, made := range map[string]bool{"alice": allowed, "bob": allowed, "finn": true, "gina": true} { // the last two have no number
			if p, _, _ := w.find(t, newPoolID, name); (p.sub != "") != made {
				t.Errorf("allowed %t: %s: %+v", allowed, name, p)
			}
		}
	}
}

// adds puts people into so many groups in one call of the function.
type adds struct {
	NewAPI
	left int
}

func (a *adds) AdminAddUserToGroup(ctx context.Context, in *cip.AdminAddUserToGroupInput, o ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	if a.left--; a.left < 0 {
		return nil, context.DeadlineExceeded
	}
	return a.NewAPI.AdminAddUserToGroup(ctx, in, o...)
}

// TestS775_ManyGroups: whoever is in more groups than one call suffices for comes in by the
// next one, with all of them. A plan says so.
func TestS775_ManyGroups(t *testing.T) {
	var a *adds
	w := newWorld(t, func(c *ArrivalConfig) { a = &adds{NewAPI: c.New}; c.New = a })
	w.deploy(t)
	noted := func() bool {
		p, err := w.move(t, w.Client).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(p.Notes, func(f Finding) bool { return strings.Contains(f.What, "more than 40 groups") })
	}
	if noted() {
		t.Error("a plan notes two groups")
	}
	for i := range 60 {
		name := fmt.Sprintf("g%02d", i)
		if _, err := w.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: aws.String(oldPool), GroupName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(oldPool), Username: aws.String("bob"), GroupName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	if !noted() {
		t.Error("a plan does not note 62 groups")
	}
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	a.left = 40
	if _, err := w.signIn(t, "bob", password); err == nil {
		t.Error("signed in with a part of the groups")
	}
	a.left = 40
	out, err := w.signIn(t, "bob", password)
	if err != nil || len(claimsOf(t, *out.AuthenticationResult.AccessToken).Groups) != 60 {
		t.Fatalf("the second sign-in: %v", err)
	}
	if _, _, groups := w.find(t, newPoolID, "bob"); len(groups) != 60 {
		t.Errorf("%d groups", len(groups))
	}
}

// held lets somebody act before a ticket is completed.
type held struct {
	WriteAPI
	before func()
}

func (h *held) AdminUpdateUserAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput, o ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error) {
	if f := h.before; f != nil {
		h.before = nil
		f()
	}
	return h.WriteAPI.AdminUpdateUserAttributes(ctx, in, o...)
}

// TestS778_TwoDrains: whom one drain has made, and who has chosen a password since, keeps it
// when the other one goes on.
func TestS778_TwoDrains(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	pool := &newPool{attributes: []string{"email", "email_verified", "name", Attribute}}
	alice, _, _ := w.find(t, oldPool, "alice")
	h := &held{WriteAPI: w.Client, before: func() {
		if err := w.move(t, w.Client).make(t.Context(), pool, alice); err != nil { // the other drain
			t.Error(err)
		}
		if _, err := w.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("web"), Username: aws.String("alice")}); err != nil {
			t.Error(err)
		}
		code, _ := w.pools.LastCode("alice@example.com")
		if _, err := w.ConfirmForgotPassword(t.Context(), &cip.ConfirmForgotPasswordInput{ClientId: aws.String("web"), Username: aws.String("alice"), ConfirmationCode: &code, Password: aws.String("Chosen0ne!")}); err != nil {
			t.Error(err)
		}
	}}
	if err := w.move(t, h).make(t.Context(), pool, alice); err != nil {
		t.Error(err)
	}
	if _, err := w.signIn(t, "alice", "Chosen0ne!"); err != nil {
		t.Errorf("the password that she has chosen: %v", err)
	}
}
