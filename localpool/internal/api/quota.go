package api

import (
	"encoding/json"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/quota"
)

// categories are the operations that share a request rate.
var categories = byOperation(map[string]string{
	quota.UserAuthentication:  "InitiateAuth AdminInitiateAuth GetTokensFromRefreshToken RespondToAuthChallenge AdminRespondToAuthChallenge",
	quota.UserCreation:        "SignUp ConfirmSignUp AdminCreateUser AdminConfirmSignUp",
	quota.UserAccountRecovery: "ChangePassword ConfirmForgotPassword ForgotPassword AdminResetUserPassword AdminSetUserPassword",
	quota.UserRead:            "AdminGetUser GetUser",
	quota.UserUpdate: "AdminAddUserToGroup AdminRemoveUserFromGroup AdminUpdateUserAttributes AdminDeleteUserAttributes AdminDeleteUser AdminDisableUser AdminEnableUser " +
		"AdminUserGlobalSignOut UpdateUserAttributes DeleteUserAttributes VerifyUserAttribute DeleteUser GlobalSignOut",
	quota.UserToken:              "RevokeToken",
	quota.UserResourceRead:       "AdminListGroupsForUser GetUserAttributeVerificationCode ResendConfirmationCode",
	quota.UserResourceUpdate:     "AdminSetUserMFAPreference SetUserMFAPreference AssociateSoftwareToken VerifySoftwareToken",
	quota.UserList:               "ListUsers ListUsersInGroup",
	quota.UserPoolRead:           "DescribeUserPool ListUserPools",
	quota.UserPoolUpdate:         "CreateUserPool UpdateUserPool DeleteUserPool AddCustomAttributes",
	quota.UserPoolResourceRead:   "GetGroup ListGroups GetUserPoolMfaConfig DescribeUserPoolDomain DescribeResourceServer ListResourceServers",
	quota.UserPoolResourceUpdate: "CreateGroup UpdateGroup DeleteGroup SetUserPoolMfaConfig CreateUserPoolDomain DeleteUserPoolDomain CreateResourceServer UpdateResourceServer DeleteResourceServer",
	quota.UserPoolClientRead:     "DescribeUserPoolClient ListUserPoolClients ListUserPoolClientSecrets",
	quota.UserPoolClientUpdate:   "CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient AddUserPoolClientSecret DeleteUserPoolClientSecret",
})

func byOperation(lists map[string]string) map[string]string {
	m := make(map[string]string)
	for category, list := range lists {
		for _, operation := range strings.Fields(list) {
			m[operation] = category
		}
	}
	return m
}

// within reports whether a request is within its quota.
func (a *API) within(operation string, body []byte) bool {
	var about struct{ UserPoolId, ChallengeName string }
	_ = json.Unmarshal(body, &about) // what is wrong with it, the operation says
	if strings.HasSuffix(operation, "RespondToAuthChallenge") {
		if about.ChallengeName == newPasswordRequired {
			return a.limiter.Take(quota.UserAccountRecovery)
		}
		return a.limiter.TakeAnswer()
	}
	return a.limiter.TakeFor(categories[operation], operation, about.UserPoolId)
}
