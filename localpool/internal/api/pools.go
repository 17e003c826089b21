package api

import (
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

type onPool struct{ UserPoolId string }

func (in *onPool) check(c *check) { c.pool(in.UserPoolId) }

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

// poolType is a pool in the API's words. What the local pool does not model is as
// in a pool that nobody has changed.
func poolType(p state.Pool, users int) map[string]any {
	region, _, _ := strings.Cut(p.ID, "_")
	t := map[string]any{
		"Id": p.ID, "Name": p.Name, "Arn": "arn:aws:cognito-idp:" + region + ":000000000000:userpool/" + p.ID,
		"CreationDate": epoch(p.Created), "LastModifiedDate": epoch(p.Modified), "EstimatedNumberOfUsers": users,
		"Policies": map[string]any{"PasswordPolicy": map[string]any{
			"MinimumLength": p.PasswordMin, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": true,
			"TemporaryPasswordValidityDays": temporaryPasswordDays,
		}},
		"DeletionProtection": "INACTIVE", "LambdaConfig": empty, "SchemaAttributes": schema(p),
		"AutoVerifiedAttributes":      []string{"email"},
		"VerificationMessageTemplate": map[string]any{"DefaultEmailOption": "CONFIRM_WITH_CODE"},
		"MfaConfiguration":            mfaMode(p),
		"EmailConfiguration":          map[string]any{"EmailSendingAccount": "COGNITO_DEFAULT"},
		"AdminCreateUserConfig":       map[string]any{"AllowAdminCreateUserOnly": !p.SelfSignUp, "UnusedAccountValidityDays": temporaryPasswordDays},
		"UsernameConfiguration":       map[string]any{"CaseSensitive": p.CaseSensitive},
		"AccountRecoverySetting":      map[string]any{"RecoveryMechanisms": []map[string]any{{"Name": "verified_email", "Priority": 1}}},
		"UserPoolTags":                empty, "UserPoolTier": "ESSENTIALS",
	}
	if p.EmailAsUsername {
		t["UsernameAttributes"] = []string{"email"}
	} else {
		t["AliasAttributes"] = []string{"email"}
	}
	return t
}

const temporaryPasswordDays = 7

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
