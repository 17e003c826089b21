package api

import (
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/quota"
)

// categories are the operations that share a request rate.
var categories = byOperation(map[string]string{
	quota.UserAuthentication:  "InitiateAuth AdminInitiateAuth GetTokensFromRefreshToken RespondToAuthChallenge AdminRespondToAuthChallenge GetDerivedToken",
	quota.UserCreation:        "SignUp ConfirmSignUp AdminCreateUser AdminConfirmSignUp",
	quota.UserAccountRecovery: "ChangePassword ConfirmForgotPassword ForgotPassword AdminResetUserPassword AdminSetUserPassword",
	quota.UserRead:            "AdminGetUser GetUser GetUserAuthFactors AdminGetUserAuthFactors",
	quota.UserUpdate: "AdminAddUserToGroup AdminRemoveUserFromGroup AdminUpdateUserAttributes AdminDeleteUserAttributes AdminDeleteUser AdminDisableUser AdminEnableUser " +
		"AdminUserGlobalSignOut AdminLinkProviderForUser AdminDisableProviderForUser UpdateUserAttributes DeleteUserAttributes VerifyUserAttribute DeleteUser GlobalSignOut",
	quota.UserToken: "RevokeToken RevokeUserSession AdminRevokeUserSession",
	quota.UserResourceRead: "AdminListGroupsForUser GetUserAttributeVerificationCode ResendConfirmationCode GetDevice ListDevices AdminGetDevice AdminListDevices " +
		"ListWebAuthnCredentials AdminListUserAuthEvents ListUserSessions AdminListUserSessions",
	quota.UserResourceUpdate: "AdminSetUserMFAPreference SetUserMFAPreference AssociateSoftwareToken VerifySoftwareToken SetUserSettings AdminSetUserSettings " +
		"AdminDeleteSoftwareToken ConfirmDevice ForgetDevice UpdateDeviceStatus AdminForgetDevice AdminUpdateDeviceStatus StartWebAuthnRegistration " +
		"CompleteWebAuthnRegistration DeleteWebAuthnCredential AdminUpdateAuthEventFeedback UpdateAuthEventFeedback",
	quota.UserList:       "ListUsers ListUsersInGroup",
	quota.UserPoolRead:   "DescribeUserPool ListUserPools GetProvisionedLimit",
	quota.UserPoolUpdate: "CreateUserPool UpdateUserPool DeleteUserPool AddCustomAttributes UpdateProvisionedLimit CreateUserPoolReplica UpdateUserPoolReplica DeleteUserPoolReplica",
	quota.UserPoolResourceRead: "GetGroup ListGroups GetUserPoolMfaConfig DescribeUserPoolDomain DescribeResourceServer ListResourceServers " +
		"DescribeIdentityProvider ListIdentityProviders GetIdentityProviderByIdentifier DescribeManagedLoginBranding DescribeManagedLoginBrandingByClient DescribeTerms " +
		"DescribeTermsByClient ListTerms DescribeCIMDPolicy ListCIMDPolicies ListClientMetadataURLs DescribeRiskConfiguration GetLogDeliveryConfiguration GetUICustomization " +
		"ListUserPoolReplicas GetUserPoolSessionConfiguration GetUserPoolClientSessionConfiguration GetCSVHeader DescribeUserImportJob ListUserImportJobs " +
		"GetSigningCertificate ListTagsForResource DescribePointInTimeRecovery ListPointInTimeRecoveries",
	quota.UserPoolResourceUpdate: "CreateGroup UpdateGroup DeleteGroup SetUserPoolMfaConfig CreateUserPoolDomain DeleteUserPoolDomain CreateResourceServer UpdateResourceServer DeleteResourceServer " +
		"UpdateUserPoolDomain CreateIdentityProvider UpdateIdentityProvider DeleteIdentityProvider CreateManagedLoginBranding UpdateManagedLoginBranding DeleteManagedLoginBranding " +
		"CreateTerms UpdateTerms DeleteTerms CreateCIMDPolicy UpdateCIMDPolicy DeleteCIMDPolicy UpdateClientMetadataURLState SetRiskConfiguration SetLogDeliveryConfiguration " +
		"SetUICustomization SetUserPoolSessionConfiguration SetUserPoolClientSessionConfiguration CreateUserImportJob StartUserImportJob StopUserImportJob " +
		"TagResource UntagResource InitiatePointInTimeRecovery StartPointInTimeRecovery CancelPointInTimeRecovery",
	quota.UserPoolClientRead:   "DescribeUserPoolClient ListUserPoolClients ListUserPoolClientSecrets",
	quota.ClientAuthentication: "GetClientToken",
	quota.UserPoolClientUpdate: "CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient AddUserPoolClientSecret DeleteUserPoolClientSecret",
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
func (a *API) within(operation string, of gist) bool {
	if strings.HasSuffix(operation, "RespondToAuthChallenge") {
		if of.ChallengeName == newPasswordRequired {
			return a.limiter.Take(quota.UserAccountRecovery)
		}
		return a.limiter.TakeAnswer()
	}
	return a.limiter.TakeFor(categories[operation], operation, of.UserPoolId)
}
