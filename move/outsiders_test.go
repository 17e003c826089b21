package move

import (
	"context"
	"errors"
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
