package move

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

const number = "+15550120"

// secondFactors has a pool offer codes by SMS and e-mail.
func (w *world) secondFactors(t *testing.T, pool string, mode types.UserPoolMfaType, offered codes) {
	t.Helper()
	in := &cip.SetUserPoolMfaConfigInput{UserPoolId: &pool, MfaConfiguration: mode, SoftwareTokenMfaConfiguration: &types.SoftwareTokenMfaConfigType{Enabled: true}}
	if offered.sms {
		in.SmsMfaConfiguration = &types.SmsMfaConfigType{SmsConfiguration: &types.SmsConfigurationType{SnsCallerArn: aws.String("arn:aws:iam::123456789012:role/sms")}}
	}
	if offered.email {
		in.EmailMfaConfiguration = &types.EmailMfaConfigType{Message: aws.String("Code {####}"), Subject: aws.String("Code")}
	}
	if _, err := w.SetUserPoolMfaConfig(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// resetBy has the new pool reset passwords by these, in this order; none: it does not say.
func (w *world) resetBy(t *testing.T, ways ...types.RecoveryOptionNameType) {
	t.Helper()
	set := new(types.AccountRecoverySettingType)
	for i, way := range ways {
		set.RecoveryMechanisms = append(set.RecoveryMechanisms, types.RecoveryOptionType{Name: way, Priority: aws.Int32(int32(i + 1))})
	}
	if _, err := w.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: aws.String(newPoolID), AccountRecoverySetting: set}); err != nil {
		t.Fatal(err)
	}
}

const byNumber, byEmail = types.RecoveryOptionNameTypeVerifiedPhoneNumber, types.RecoveryOptionNameTypeVerifiedEmail

// has gives somebody of the old pool a number and second factors.
func (w *world) has(t *testing.T, username, verified string, factors ...string) {
	t.Helper()
	if _, err := w.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(oldPool), Username: &username, UserAttributes: []types.AttributeType{
		{Name: aws.String("phone_number"), Value: aws.String(number)}, {Name: aws.String("phone_number_verified"), Value: &verified}}}); err != nil {
		t.Fatal(err)
	}
	in := &cip.AdminSetUserMFAPreferenceInput{UserPoolId: aws.String(oldPool), Username: &username}
	if slices.Contains(factors, "SMS_MFA") {
		in.SMSMfaSettings = &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: len(factors) == 1}
	}
	if slices.Contains(factors, "EMAIL_OTP") {
		in.EmailMfaSettings = &types.EmailMfaSettingsType{Enabled: true, PreferredMfa: true}
	}
	if _, err := w.AdminSetUserMFAPreference(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// factorsNow are those that somebody has at a pool, the preferred one first.
func (w *world) factorsNow(t *testing.T, pool, username string) string {
	t.Helper()
	u, err := w.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &pool, Username: &username})
	if err != nil {
		return "nobody"
	}
	slices.Sort(u.UserMFASettingList)
	if i := slices.Index(u.UserMFASettingList, aws.ToString(u.PreferredMfaSetting)); i > 0 {
		u.UserMFASettingList[0], u.UserMFASettingList[i] = u.UserMFASettingList[i], u.UserMFASettingList[0]
	}
	return strings.Join(u.UserMFASettingList, " ")
}

// TestS836_CodesBySMSArrive: the new pool asks for a code at the very first sign-in, and puts
// nobody into a group who has none.
func TestS836_CodesBySMSArrive(t *testing.T) {
	w := newWorld(t, nil)
	w.deploy(t)
	both := codes{sms: true, email: true}
	w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, both)
	w.has(t, "alice", "true", "SMS_MFA")
	w.has(t, "bob", "true", "SMS_MFA", "EMAIL_OTP")
	w.has(t, "gina", "false", "SMS_MFA")
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, offered := range []codes{{}, {email: true}} {
		w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, offered)
		if _, err := w.signIn(t, "alice", password); err == nil || w.factorsNow(t, newPoolID, "alice") != "nobody" {
			t.Errorf("%+v: arrived without codes by SMS: %v", offered, err)
		}
	}
	w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, both)
	for _, left := range []string{"bob", "gina", "dora"} { // a trigger cannot turn on more, a number is not verified, an app
		if _, err := w.signIn(t, left, password); err == nil || w.factorsNow(t, newPoolID, left) != "nobody" {
			t.Errorf("%s arrived: %v", left, err)
		}
	}
	out, err := w.signIn(t, "alice", password)
	if err != nil || out.ChallengeName != types.ChallengeNameTypeSmsMfa || out.AuthenticationResult != nil {
		t.Fatalf("%+v, %v; want a code to be asked for", out, err)
	}
	if _, _, groups := w.find(t, newPoolID, "alice"); len(groups) != 0 || w.factorsNow(t, newPoolID, "alice") != "SMS_MFA" {
		t.Errorf("groups before the code: %q", groups)
	}
	code, _ := w.pools.LastCode(number)
	in, err := w.RespondToAuthChallenge(t.Context(), &cip.RespondToAuthChallengeInput{ClientId: aws.String("web"), ChallengeName: out.ChallengeName, Session: out.Session,
		ChallengeResponses: map[string]string{"USERNAME": "alice", "SMS_MFA_CODE": code}})
	if err != nil || in.AuthenticationResult == nil || len(claimsOf(t, *in.AuthenticationResult.AccessToken).Groups) != 2 {
		t.Errorf("with the code: %+v, %v", in, err)
	}
}

// TestS836_CodesAreDrained: people are created with the codes that they had, or not at all.
func TestS836_CodesAreDrained(t *testing.T) {
	both := codes{sms: true, email: true}
	ways := []types.RecoveryOptionNameType{byNumber, byEmail}
	for _, tt := range []struct {
		name    string
		offered codes
		ways    []types.RecoveryOptionNameType
		allowed bool
		want    map[string]string
	}{
		{"both", both, ways, false, map[string]string{"alice": "SMS_MFA", "bob": "nobody", "gina": "nobody", "dora": "nobody", "finn": "EMAIL_OTP"}},
		{"SMS alone", codes{sms: true}, ways, false, map[string]string{"alice": "SMS_MFA", "bob": "nobody", "gina": "nobody", "finn": "nobody"}},
		{"reset by e-mail", both, ways[1:], false, map[string]string{"alice": "SMS_MFA", "finn": "nobody"}},
		{"reset by SMS", both, ways[:1], false, map[string]string{"alice": "nobody", "finn": "EMAIL_OTP"}},
		{"reset as before the setting", both, nil, false, map[string]string{"alice": "nobody", "finn": "EMAIL_OTP"}},
		{"reset by administrators", both, []types.RecoveryOptionNameType{types.RecoveryOptionNameTypeAdminOnly}, false, map[string]string{"alice": "SMS_MFA", "finn": "EMAIL_OTP"}},
		{"none", codes{}, ways, false, map[string]string{"alice": "nobody", "bob": "nobody", "gina": "nobody"}},
		{"none, and allowed without", codes{}, ways, true, map[string]string{"alice": "", "bob": "", "gina": "", "dora": "", "finn": ""}},
		{"both, and allowed without", both, ways, true, map[string]string{"alice": "SMS_MFA", "bob": "SMS_MFA", "gina": "", "dora": "", "finn": "EMAIL_OTP"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.resetBy(t, tt.ways...)
			w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, both)
			w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, tt.offered)
			w.has(t, "alice", "true", "SMS_MFA")
			w.has(t, "bob", "true", "SMS_MFA", "EMAIL_OTP")
			w.has(t, "gina", "false", "SMS_MFA")
			w.has(t, "finn", "true", "EMAIL_OTP")
			if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			allow := func(c *Config) { c.WithoutSecondFactor = tt.allowed }
			d, err := w.move(t, w.Client, allow).Drain(t.Context(), false)
			if err != nil || d.Failed != 0 {
				t.Errorf("%+v, %v", d, err)
			}
			for name, want := range tt.want {
				if got := w.factorsNow(t, newPoolID, name); got != want {
					t.Errorf("%s has %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestS836_CutOffBeforeTheCodes: somebody whose codes are not turned on yet has no password,
// and the next drain goes on.
func TestS836_CutOffBeforeTheCodes(t *testing.T) {
	w := newWorld(t, nil)
	w.resetBy(t, byEmail)
	w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, codes{sms: true})
	w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, codes{sms: true})
	w.has(t, "alice", "true", "SMS_MFA")
	if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for ; w.factorsNow(t, newPoolID, "alice") != "SMS_MFA"; calls++ {
		if calls > 60 {
			t.Fatal("no drain comes to an end")
		}
		if _, status, _ := w.find(t, newPoolID, "alice"); status != "" && status != string(types.UserStatusTypeForceChangePassword) {
			t.Fatalf("alice is %s, and has no code to enter", status)
		}
		if _, err := w.move(t, &cutOff{WriteAPI: w.Client, left: calls}).Drain(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if calls < 2 {
		t.Errorf("after %d drains", calls)
	}
	if _, err := w.move(t, w.Client).Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, status, groups := w.find(t, newPoolID, "alice"); status != string(types.UserStatusTypeConfirmed) || len(groups) != 2 {
		t.Errorf("in the end: %s, %q", status, groups)
	}
}

// TestS836_CodesAndPasswordByOneAddress: whoever reads one address, or has one number, cannot
// reset the password by it and enter the code of the second factor, too.
func TestS836_CodesAndPasswordByOneAddress(t *testing.T) {
	both := codes{sms: true, email: true}
	for factor, unverified := range map[string]string{"SMS_MFA": "email", "EMAIL_OTP": "phone_number"} {
		for _, tt := range []struct {
			status string
			other  bool // the other address is verified, too
			ways   []types.RecoveryOptionNameType
			drain  string
			signIn string // with the password of before
		}{
			{"", false, []types.RecoveryOptionNameType{byNumber, byEmail}, "nobody", ""},
			{"", true, []types.RecoveryOptionNameType{byNumber, byEmail}, factor, ""},
			{"temporary", false, []types.RecoveryOptionNameType{byNumber, byEmail}, "nobody", "nobody"},
			{"temporary", true, []types.RecoveryOptionNameType{byNumber, byEmail}, factor, factor},
			{"temporary", true, nil, "", "nobody"},
		} {
			name := "alice"
			if tt.status != "" {
				name = "finn"
			}
			world := func() *world {
				w := newWorld(t, nil)
				w.deploy(t)
				w.resetBy(t, tt.ways...)
				w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, both)
				w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, both)
				w.has(t, name, "true", factor)
				if !tt.other {
					if _, err := w.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(oldPool), Username: &name, UserAttributes: []types.AttributeType{
						{Name: aws.String(unverified + "_verified"), Value: aws.String("false")}}}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := w.move(t, w.Client).Groups(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				return w
			}
			if tt.drain != "" {
				w := world()
				if _, err := w.move(t, w.Client).Drain(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				if got := w.factorsNow(t, newPoolID, name); got != tt.drain {
					t.Errorf("%s %+v: drained with %q", factor, tt, got)
				}
				if tt.drain == factor { // the code goes elsewhere
					sent, err := w.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("web"), Username: &name})
					if err != nil || aws.ToString(sent.CodeDeliveryDetails.AttributeName) != unverified {
						t.Errorf("%s %+v: the password is reset by %+v, %v", factor, tt, sent, err)
					}
				}
			}
			if tt.signIn != "" && factor == "SMS_MFA" { // a trigger can turn on no other
				w := world()
				_, _ = w.signIn(t, name, password)
				if got := w.factorsNow(t, newPoolID, name); got != tt.signIn {
					t.Errorf("%s %+v: arrived with %q\n%s", factor, tt, got, w.log)
				}
			}
		}
	}
}

// pausedCodes is a new pool that is being recovered when a drain turns on codes, and where
// others are quicker afterwards.
type pausedCodes struct {
	WriteAPI
	once  sync.Once
	quick func()
}

func (p *pausedCodes) AdminSetUserMFAPreference(ctx context.Context, in *cip.AdminSetUserMFAPreferenceInput, o ...func(*cip.Options)) (*cip.AdminSetUserMFAPreferenceOutput, error) {
	var err error
	p.once.Do(func() { p.quick(); err = &types.NotAuthorizedException{Message: aws.String("recovery")} })
	if err != nil {
		return nil, err
	}
	return p.WriteAPI.AdminSetUserMFAPreference(ctx, in, o...)
}

// TestS836_CodesThatWereChosenMeanwhile: a drain that waits for a recovery looks again, and
// leaves the second factor of somebody whom another drain has ended.
func TestS836_CodesThatWereChosenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCrowd(t, 1, 0)
		defer w.pools.Close()
		w.resetBy(t, byEmail)
		both := codes{sms: true, email: true}
		w.secondFactors(t, oldPool, types.UserPoolMfaTypeOptional, both)
		w.secondFactors(t, newPoolID, types.UserPoolMfaTypeOptional, both)
		name := nameOf(0)
		w.has(t, name, "true", "SMS_MFA")
		api := &pausedCodes{WriteAPI: w.Client, quick: func() {
			if _, err := w.move(t, w.Client).Drain(t.Context(), false); err != nil {
				t.Error(err)
			}
			// They choose a password, and have e-mail in place of the number that they give up.
			if _, err := w.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: aws.String(newPoolID), Username: &name, Password: aws.String("Ch0sen-by-them!"), Permanent: true}); err != nil {
				t.Error(err)
			}
			if _, err := w.AdminSetUserMFAPreference(t.Context(), &cip.AdminSetUserMFAPreferenceInput{UserPoolId: aws.String(newPoolID), Username: &name,
				SMSMfaSettings: &types.SMSMfaSettingsType{}, EmailMfaSettings: &types.EmailMfaSettingsType{Enabled: true, PreferredMfa: true}}); err != nil {
				t.Error(err)
			}
		}}
		d, err := w.move(t, api, func(c *Config) { c.Paused = func(context.Context) bool { return true } }).Drain(t.Context(), false)
		if got := w.factorsNow(t, newPoolID, name); err != nil || d.Failed != 0 || got != "EMAIL_OTP" {
			t.Errorf("%+v, %v: they have %q", d, err, got)
		}
	})
}
