package move

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// cutAfterMade fails what completes somebody, or what ends them.
type cutAfterMade struct {
	WriteAPI
	completed bool // and has codes
}

var errKilled = errors.New("killed")

func (c *cutAfterMade) AdminUpdateUserAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput, o ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error) {
	if !c.completed {
		return nil, errKilled
	}
	return c.WriteAPI.AdminUpdateUserAttributes(ctx, in, o...)
}

func (c *cutAfterMade) AdminSetUserPassword(context.Context, *cip.AdminSetUserPasswordInput, ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	return nil, errKilled
}

// TestS836_BegunWithAnotherNumber: whatever changes at the old pool between a drain that was
// killed and the next one, codes and new passwords go to where the old pool has it at the end.
func TestS836_BegunWithAnotherNumber(t *testing.T) {
	both := codes{sms: true, email: true}
	for _, drain := range []struct {
		allowed bool // without a second factor
		offered codes
	}{{false, both}, {true, both}, {true, codes{}}} {
		for _, completed := range []bool{false, true} {
			for _, tt := range []struct {
				name  string
				since map[string]string
				codes string // in the end, where there are any
				moves bool   // also if codes must not be lost
			}{
				{"another number and address", map[string]string{"phone_number": "+15550199", "phone_number_verified": "true", "email": "alice@new.example", "email_verified": "true"}, "SMS_MFA", true},
				{"an address that is not verified", map[string]string{"email": "alice@new.example", "email_verified": "false"}, "", false},
				{"no longer verified", map[string]string{"email_verified": "false"}, "", false},
				{"no number", map[string]string{"phone_number": "", "name": ""}, "", false},
			} {
				w := newWorld(t, nil)
				w.resetBy(t, byEmail)
				w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, both)
				w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, drain.offered)
				w.has(t, "alice", "true", "SMS_MFA")
				if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				allow := func(c *Config) { c.WithoutSecondFactor = drain.allowed }
				if d, err := w.move(t, &cutAfterMade{w.Client, completed}, allow).Drain(t.Context(), false); err != nil || d.Failed == 0 {
					t.Fatalf("%+v, %v", d, err)
				}
				in := &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(oldPool), Username: aws.String("alice")}
				for name, value := range tt.since {
					in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &name, Value: &value})
				}
				if _, err := w.AdminUpdateUserAttributes(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				d, err := w.move(t, w.Client, allow).Drain(t.Context(), false)
				if err != nil || d.Failed != 0 {
					t.Errorf("%s, completed %t: %+v, %v", tt.name, completed, d, err)
				}
				is, status, _ := w.find(t, newPoolID, "alice")
				if !drain.allowed && !tt.moves { // begun, and without a password
					if status != string(types.UserStatusTypeForceChangePassword) {
						t.Errorf("%s: %s", tt.name, status)
					}
					continue
				}
				want := tt.codes
				if !drain.offered.any() {
					want = ""
				}
				was, _, _ := w.find(t, oldPool, "alice")
				for _, name := range []string{"email", "email_verified", "phone_number", "phone_number_verified", "name"} {
					if is.attributes[name] != was.attributes[name] {
						t.Errorf("%s, completed %t: %s is %q, and %q in the old pool", tt.name, completed, name, is.attributes[name], was.attributes[name])
					}
				}
				if got := w.factorsNow(t, newPoolID, "alice"); got != want || status != string(types.UserStatusTypeConfirmed) || !strings.HasSuffix(is.attributes[Attribute], complete) {
					t.Errorf("%s, completed %t, %+v: codes %q, %s", tt.name, completed, drain, got, status)
				}
			}
		}
	}
}
