package api

// operations are those that the API has. Any other is unknown, as at Cognito.
var operations = map[string]operation{
	"DescribeUserPool": admin((*API).describeUserPool),

	"ListUsers":              admin((*API).listUsers),
	"ListUsersInGroup":       admin((*API).listUsersInGroup),
	"ListGroups":             admin((*API).listGroups),
	"AdminListGroupsForUser": admin((*API).listGroupsForUser),
	"AdminGetUser":           admin((*API).adminGetUser),

	"AdminCreateUser":           admin((*API).adminCreateUser),
	"AdminUpdateUserAttributes": admin((*API).adminUpdateUserAttributes),
	"AdminDeleteUserAttributes": admin((*API).adminDeleteUserAttributes),
	"AdminEnableUser":           admin((*API).adminEnableUser),
	"AdminDisableUser":          admin((*API).adminDisableUser),
	"AdminDeleteUser":           admin((*API).adminDeleteUser),
	"AdminSetUserPassword":      admin((*API).adminSetUserPassword),
	"AdminResetUserPassword":    admin((*API).adminResetUserPassword),
	"AdminConfirmSignUp":        admin((*API).adminConfirmSignUp),
	"AdminUserGlobalSignOut":    admin((*API).adminUserGlobalSignOut),

	"CreateGroup":              admin((*API).createGroup),
	"GetGroup":                 admin((*API).getGroup),
	"UpdateGroup":              admin((*API).updateGroup),
	"DeleteGroup":              admin((*API).deleteGroup),
	"AdminAddUserToGroup":      admin((*API).adminAddUserToGroup),
	"AdminRemoveUserFromGroup": admin((*API).adminRemoveUserFromGroup),

	"SignUp":                           app((*API).signUp),
	"ConfirmSignUp":                    app((*API).confirmSignUp),
	"ResendConfirmationCode":           app((*API).resendConfirmationCode),
	"ForgotPassword":                   app((*API).forgotPassword),
	"ConfirmForgotPassword":            app((*API).confirmForgotPassword),
	"GetUser":                          app((*API).getUser),
	"DeleteUser":                       app((*API).deleteUser),
	"GlobalSignOut":                    app((*API).globalSignOut),
	"ChangePassword":                   app((*API).changePassword),
	"UpdateUserAttributes":             app((*API).updateUserAttributes),
	"DeleteUserAttributes":             app((*API).deleteUserAttributes),
	"GetUserAttributeVerificationCode": app((*API).getUserAttributeVerificationCode),
	"VerifyUserAttribute":              app((*API).verifyUserAttribute),

	"AssociateSoftwareToken":    app((*API).associateSoftwareToken),
	"VerifySoftwareToken":       app((*API).verifySoftwareToken),
	"SetUserMFAPreference":      app((*API).setUserMFAPreference),
	"AdminSetUserMFAPreference": admin((*API).adminSetUserMFAPreference),
	"GetUserPoolMfaConfig":      admin((*API).getUserPoolMfaConfig),
	"SetUserPoolMfaConfig":      admin((*API).setUserPoolMfaConfig),

	"InitiateAuth":                app((*API).initiateAuth),
	"RespondToAuthChallenge":      app((*API).respondToAuthChallenge),
	"GetTokensFromRefreshToken":   app((*API).getTokensFromRefreshToken),
	"RevokeToken":                 app((*API).revokeToken),
	"AdminInitiateAuth":           admin((*API).adminInitiateAuth),
	"AdminRespondToAuthChallenge": admin((*API).adminRespondToAuthChallenge),
}
