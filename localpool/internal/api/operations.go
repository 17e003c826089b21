package api

// operations are those that the API has. Any other is unknown, as at Cognito.
var operations = map[string]operation{
	"ListUserPools":       admin((*API).listUserPools),
	"CreateUserPool":      keeping("UserPoolType", (*API).createUserPool),
	"DescribeUserPool":    admin((*API).describeUserPool),
	"UpdateUserPool":      keeping("UserPoolType", (*API).updateUserPool),
	"DeleteUserPool":      admin((*API).deleteUserPool),
	"AddCustomAttributes": admin((*API).addCustomAttributes),

	"ListUserPoolClients":    admin((*API).listUserPoolClients),
	"CreateUserPoolClient":   keeping("UserPoolClientType", (*API).createUserPoolClient),
	"DescribeUserPoolClient": admin((*API).describeUserPoolClient),
	"UpdateUserPoolClient":   keeping("UserPoolClientType", (*API).updateUserPoolClient),
	"DeleteUserPoolClient":   admin((*API).deleteUserPoolClient),

	"AddUserPoolClientSecret":    admin((*API).addUserPoolClientSecret),
	"ListUserPoolClientSecrets":  admin((*API).listUserPoolClientSecrets),
	"DeleteUserPoolClientSecret": admin((*API).deleteUserPoolClientSecret),

	secretsManager + "GetSecretValue": admin((*API).getSecretValue),
	secretsManager + "RotateSecret":   admin((*API).rotateSecret),

	"CreateUserPoolDomain":   admin((*API).createUserPoolDomain),
	"DescribeUserPoolDomain": admin((*API).describeUserPoolDomain),
	"DeleteUserPoolDomain":   admin((*API).deleteUserPoolDomain),

	"ListResourceServers":    admin((*API).listResourceServers),
	"CreateResourceServer":   admin((*API).createResourceServer),
	"DescribeResourceServer": admin((*API).describeResourceServer),

	"ListUsers":              admin((*API).listUsers),
	"ListUsersInGroup":       admin((*API).listUsersInGroup),
	"ListGroups":             admin((*API).listGroups),
	"AdminListGroupsForUser": admin((*API).listGroupsForUser),
	"AdminGetUser":           admin((*API).adminGetUser),

	"AdminCreateUser":           calling((*API).adminCreateUser),
	"AdminUpdateUserAttributes": admin((*API).adminUpdateUserAttributes),
	"AdminDeleteUserAttributes": admin((*API).adminDeleteUserAttributes),
	"AdminEnableUser":           admin((*API).adminEnableUser),
	"AdminDisableUser":          admin((*API).adminDisableUser),
	"AdminDeleteUser":           admin((*API).adminDeleteUser),
	"AdminSetUserPassword":      admin((*API).adminSetUserPassword),
	"AdminResetUserPassword":    admin((*API).adminResetUserPassword),
	"AdminConfirmSignUp":        calling((*API).adminConfirmSignUp),
	"AdminUserGlobalSignOut":    admin((*API).adminUserGlobalSignOut),

	"CreateGroup":              admin((*API).createGroup),
	"GetGroup":                 admin((*API).getGroup),
	"UpdateGroup":              admin((*API).updateGroup),
	"DeleteGroup":              admin((*API).deleteGroup),
	"AdminAddUserToGroup":      admin((*API).adminAddUserToGroup),
	"AdminRemoveUserFromGroup": admin((*API).adminRemoveUserFromGroup),

	"SignUp":                           opened(calling((*API).signUp)),
	"ConfirmSignUp":                    opened(calling((*API).confirmSignUp)),
	"ResendConfirmationCode":           app((*API).resendConfirmationCode),
	"ForgotPassword":                   app((*API).forgotPassword),
	"ConfirmForgotPassword":            opened(calling((*API).confirmForgotPassword)),
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

	"InitiateAuth":                opened(calling((*API).initiateAuth)),
	"RespondToAuthChallenge":      opened(calling((*API).respondToAuthChallenge)),
	"GetTokensFromRefreshToken":   opened(calling((*API).getTokensFromRefreshToken)),
	"RevokeToken":                 app((*API).revokeToken),
	"AdminInitiateAuth":           calling((*API).adminInitiateAuth),
	"AdminRespondToAuthChallenge": calling((*API).adminRespondToAuthChallenge),
}
