package api

// operations are those that the API has. Any other is unknown, as at Cognito.
var operations = map[string]operation{
	"DescribeUserPool": admin((*API).describeUserPool),

	"ListUsers":              admin((*API).listUsers),
	"ListUsersInGroup":       admin((*API).listUsersInGroup),
	"ListGroups":             admin((*API).listGroups),
	"AdminListGroupsForUser": admin((*API).listGroupsForUser),
	"AdminGetUser":           admin((*API).adminGetUser),
}
