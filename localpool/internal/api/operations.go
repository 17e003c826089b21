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
}
