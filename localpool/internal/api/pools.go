package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

type onPool struct{ UserPoolId string }

func (a *API) describeUserPool(in *onPool) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	count, err := a.state.CountUsers(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserPool": poolType(p, count)}, nil
}

func (a *API) deleteUserPool(in *onPool) (any, error) {
	return empty, a.state.DeletePool(in.UserPoolId)
}

type listUserPools struct {
	MaxResults *int
	NextToken  string
}

func (a *API) listUserPools(in *listUserPools) (any, error) {
	token := in.NextToken
	in.NextToken = ""
	ids := a.state.Pools()
	slices.Sort(ids)
	ids, next, err := pageOf(a, token, in, ids, limitOf(in.MaxResults), func(id string) string { return id })
	if err != nil {
		return nil, err
	}
	type summary struct {
		Id, Name         string
		LambdaConfig     state.LambdaConfig
		CreationDate     epoch
		LastModifiedDate epoch
	}
	list := make([]summary, 0, len(ids))
	for _, id := range ids {
		if p, err := a.state.Describe(id); err == nil {
			list = append(list, summary{Id: p.ID, Name: p.Name, LambdaConfig: p.Lambda, CreationDate: epoch(p.Created), LastModifiedDate: epoch(p.Modified)})
		}
	}
	return struct {
		UserPools []summary
		NextToken string `json:",omitempty"`
	}{list, next}, nil
}

// poolSettings are what a pool is made of, and can be changed. What the local pool
// does not model is not here.
type poolSettings struct {
	PoolName              string
	Policies              struct{ PasswordPolicy *struct{ MinimumLength *int } }
	AdminCreateUserConfig struct{ AllowAdminCreateUserOnly bool }
	MfaConfiguration      string
	LambdaConfig          state.LambdaConfig
}

// apply makes a pool's settings what they are here, which is all of them: those
// that are left out are as in a pool that nobody has changed.
func (in *poolSettings) apply(p *state.Pool) error {
	l := in.LambdaConfig
	if one := l.PreTokenGenerationConfig; one != nil && l.PreTokenGeneration != "" && l.PreTokenGeneration != one.LambdaArn {
		return invalid("PreTokenGeneration and PreTokenGenerationConfig must have the same Lambda ARN.")
	}
	if in.PoolName != "" {
		p.Name = in.PoolName
	}
	p.PasswordMin, p.SelfSignUp, p.Lambda = 8, !in.AdminCreateUserConfig.AllowAdminCreateUserOnly, l
	if policy := in.Policies.PasswordPolicy; policy != nil && policy.MinimumLength != nil {
		p.PasswordMin = *policy.MinimumLength
	}
	return nil
}

type updateUserPool struct {
	poolSettings
	UserPoolId string
}

func (a *API) updateUserPool(in *updateUserPool) (any, error) {
	return empty, a.state.UpdatePool(in.UserPoolId, func(p *state.Pool) error {
		if in.MfaConfiguration != "" {
			p.MFA = in.MfaConfiguration
		}
		return in.apply(p)
	})
}

type createUserPool struct {
	poolSettings
	UsernameAttributes    []string
	UsernameConfiguration struct{ CaseSensitive *bool }
}

func (a *API) createUserPool(in *createUserPool) (any, error) {
	p := state.Pool{
		EmailAsUsername: len(in.UsernameAttributes) > 0,
		CaseSensitive:   in.UsernameConfiguration.CaseSensitive == nil || *in.UsernameConfiguration.CaseSensitive,
	}
	if slices.Contains(in.UsernameAttributes, "phone_number") {
		return nil, invalid("The local pool has no phone numbers as usernames.")
	}
	if in.MfaConfiguration != "" && in.MfaConfiguration != state.MFAOff {
		return nil, invalid("SMS configuration and Auto verification for phone_number are required when MFA is required/optional")
	}
	if err := in.apply(&p); err != nil {
		return nil, err
	}
	p, err := a.state.CreatePool(p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserPool": poolType(p, 0)}, nil
}

// poolType is a pool in the API's words. What the local pool does not model is as
// in a pool that nobody has changed.
func poolType(p state.Pool, users int) map[string]any {
	region, _, _ := strings.Cut(p.ID, "_")
	t := map[string]any{
		"Id": p.ID, "Name": p.Name, "Arn": "arn:aws:cognito-idp:" + region + ":" + account + ":userpool/" + p.ID,
		"CreationDate": epoch(p.Created), "LastModifiedDate": epoch(p.Modified), "EstimatedNumberOfUsers": users,
		"Policies": map[string]any{"PasswordPolicy": map[string]any{
			"MinimumLength": p.PasswordMin, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": true,
			"TemporaryPasswordValidityDays": temporaryPasswordDays,
		}},
		"DeletionProtection": "INACTIVE", "LambdaConfig": p.Lambda, "SchemaAttributes": schema(p),
		"AutoVerifiedAttributes":      []string{"email"},
		"VerificationMessageTemplate": map[string]any{"DefaultEmailOption": "CONFIRM_WITH_CODE"},
		"MfaConfiguration":            mfaMode(p),
		"EmailConfiguration":          map[string]any{"EmailSendingAccount": "COGNITO_DEFAULT"},
		"AdminCreateUserConfig":       map[string]any{"AllowAdminCreateUserOnly": !p.SelfSignUp, "UnusedAccountValidityDays": temporaryPasswordDays},
		"UsernameConfiguration":       map[string]any{"CaseSensitive": p.CaseSensitive},
		"AccountRecoverySetting":      map[string]any{"RecoveryMechanisms": []map[string]any{{"Name": "verified_email", "Priority": 1}}},
		"UserPoolTags":                empty, "UserPoolTier": "ESSENTIALS",
	}
	for name, domain := range map[string]string{"Domain": p.Domain, "CustomDomain": p.CustomDomain} {
		if domain != "" {
			t[name] = domain
		}
	}
	if p.EmailAsUsername {
		t["UsernameAttributes"] = []string{"email"}
	} else {
		t["AliasAttributes"] = []string{"email"}
	}
	return t
}

const (
	temporaryPasswordDays = 7

	account = "000000000000"
)

func schema(p state.Pool) []map[string]any {
	var list []map[string]any
	for _, name := range state.StandardAttributes {
		a := map[string]any{
			"Name": name, "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": name != "sub",
			"Required": name == "sub" || (name == "email" && p.EmailAsUsername),
		}
		switch name {
		case "email_verified", "phone_number_verified":
			a["AttributeDataType"] = "Boolean"
		case "updated_at":
			a["AttributeDataType"], a["NumberAttributeConstraints"] = "Number", map[string]string{"MinValue": "0"}
		default:
			least, most := 0, 2048
			switch name {
			case "sub":
				least = 1
			case "birthdate":
				least, most = 10, 10
			}
			a["StringAttributeConstraints"] = map[string]string{"MinLength": strconv.Itoa(least), "MaxLength": strconv.Itoa(most)}
		}
		list = append(list, a)
	}
	return list
}
