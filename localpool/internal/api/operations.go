package api

import "maps"

// operations are those that the API has, which are all of the model's. Any other is
// unknown, as at Cognito.
var operations = merged(map[string]operation{
	"ListUserPools":       calling((*API).listUserPools),
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

	secretsManager + "GetSecretValue":       admin((*API).getSecretValue),
	secretsManager + "DescribeSecret":       admin((*API).describeSecret),
	secretsManager + "ListSecretVersionIds": admin((*API).listSecretVersionIds),
	secretsManager + "RotateSecret":         admin((*API).rotateSecret),

	"CreateUserPoolDomain":   keeping(domainShape, (*API).createUserPoolDomain),
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
	"ForgotPassword":                   opened(calling((*API).forgotPassword)),
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
	"SetUserPoolMfaConfig":      keeping(mfaShape, (*API).setUserPoolMfaConfig),

	"InitiateAuth":                opened(calling((*API).initiateAuth)),
	"RespondToAuthChallenge":      opened(calling((*API).respondToAuthChallenge)),
	"GetTokensFromRefreshToken":   opened(calling((*API).getTokensFromRefreshToken)),
	"RevokeToken":                 app((*API).revokeToken),
	"AdminInitiateAuth":           calling((*API).adminInitiateAuth),
	"AdminRespondToAuthChallenge": calling((*API).adminRespondToAuthChallenge),

	"UpdateUserPoolDomain":   keeping(domainShape, (*API).updateUserPoolDomain),
	"UpdateResourceServer":   admin((*API).updateResourceServer),
	"DeleteResourceServer":   admin((*API).deleteResourceServer),
	"ListTagsForResource":    admin((*API).listTagsForResource),
	"TagResource":            admin((*API).tagResource),
	"UntagResource":          admin((*API).untagResource),
	"GetSigningCertificate":  admin((*API).getSigningCertificate),
	"GetProvisionedLimit":    admin((*API).getProvisionedLimit),
	"UpdateProvisionedLimit": admin((*API).updateProvisionedLimit),

	"AdminListUserAuthEvents":      admin((*API).listUserAuthEvents),
	"AdminUpdateAuthEventFeedback": admin((*API).updateAuthEventFeedback),
	"UpdateAuthEventFeedback":      app((*API).updateAuthEventFeedback),

	"AdminLinkProviderForUser":    admin((*API).adminLinkProviderForUser),
	"AdminDisableProviderForUser": admin((*API).adminDisableProviderForUser),

	"ConfirmDevice":           app((*API).confirmDevice),
	"GetDevice":               app((*API).getDevice),
	"ListDevices":             app((*API).listDevices),
	"ForgetDevice":            app((*API).forgetDevice),
	"UpdateDeviceStatus":      app((*API).updateDeviceStatus),
	"AdminGetDevice":          admin((*API).getDevice),
	"AdminListDevices":        admin((*API).listDevices),
	"AdminForgetDevice":       admin((*API).forgetDevice),
	"AdminUpdateDeviceStatus": admin((*API).updateDeviceStatus),

	"SetUserSettings":          app((*API).setUserSettings),
	"AdminSetUserSettings":     admin((*API).setUserSettings),
	"GetUserAuthFactors":       app((*API).getUserAuthFactors),
	"AdminGetUserAuthFactors":  admin((*API).adminGetUserAuthFactors),
	"AdminDeleteSoftwareToken": admin((*API).adminDeleteSoftwareToken),

	"StartWebAuthnRegistration":    app((*API).startWebAuthnRegistration),
	"CompleteWebAuthnRegistration": app((*API).completeWebAuthnRegistration),
	"ListWebAuthnCredentials":      app((*API).listWebAuthnCredentials),
	"DeleteWebAuthnCredential":     app((*API).deleteWebAuthnCredential),

	"SetUserPoolSessionConfiguration":       sessionConfigurations.replace(),
	"GetUserPoolSessionConfiguration":       sessionConfigurations.one(untracked),
	"SetUserPoolClientSessionConfiguration": clientSessions.replace(),
	"GetUserPoolClientSessionConfiguration": clientSessions.one(unlimited),

	"ListUserSessions":       app((*API).listUserSessions),
	"RevokeUserSession":      app((*API).revokeUserSession),
	"AdminListUserSessions":  admin((*API).adminListUserSessions),
	"AdminRevokeUserSession": admin((*API).adminRevokeUserSession),

	"GetCSVHeader":          admin((*API).getCSVHeader),
	"CreateUserImportJob":   hosted(importJobs.create()),
	"DescribeUserImportJob": hosted(importJobs.describe()),
	"ListUserImportJobs":    hosted(importJobs.list("UserImportJobs", "UserImportJobType", "PaginationToken")),
	"StartUserImportJob":    hosted(admin((*API).startUserImportJob)),
	"StopUserImportJob":     hosted(admin((*API).stopUserImportJob)),

	"GetClientToken":  opened(calling((*API).getClientToken)),
	"GetDerivedToken": opened(calling((*API).getDerivedToken)),

	"ListClientMetadataURLs":       admin((*API).listClientMetadataURLs),
	"UpdateClientMetadataURLState": calling((*API).updateClientMetadataURLState),

	"InitiatePointInTimeRecovery": admin((*API).initiateRecovery),
	"StartPointInTimeRecovery":    admin((*API).startRecovery),
	"CancelPointInTimeRecovery":   admin((*API).cancelRecovery),
	"DescribePointInTimeRecovery": admin((*API).describeRecovery),
	"ListPointInTimeRecoveries":   admin((*API).listRecoveries),
}, documented())

func merged(tables ...map[string]operation) map[string]operation {
	all := make(map[string]operation)
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}
