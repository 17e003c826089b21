package refused

import (
	"errors"
	"slices"
)

// Code is the code of an error with which the API answered, or nothing.
func Code(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return ""
}

// Taken reports whether somebody else has the username, or an address of the user. The model
// of AdminCreateUser does not name the second.
func Taken(err error) bool {
	code := Code(err)
	return code == "UsernameExistsException" || code == "AliasExistsException"
}

// NoPool reports whether the API has answered that a pool does not exist. The code alone does
// not say so: it is that of a missing group or app client, too. So it counts for operations
// that can miss nothing else.
func NoPool(err error) bool {
	var operation interface{ Operation() string }
	return Code(err) == NotFound && errors.As(err, &operation) && slices.Contains(ofPoolAlone, operation.Operation())
}

// NotFound is the code of an error about something that does not exist.
const NotFound = "ResourceNotFoundException"

// ofPoolAlone are operations that name a pool, and besides it nothing but a user, for whom the
// API has another code.
var ofPoolAlone = []string{
	"AdminCreateUser", "AdminDeleteUser", "AdminGetUser", "AdminListGroupsForUser", "AdminSetUserPassword", "AdminUserGlobalSignOut", "AdminUpdateUserAttributes", "DescribeUserPool",
	"GetUserPoolMfaConfig", "ListGroups", "ListIdentityProviders", "ListResourceServers", "ListUserPoolClients", "ListUsers",
}

// ByRecovery reports whether a change may be refused because the pool is being recovered.
// Cognito does not say which error that is: it is any but those that name another reason.
// Ask the pool for its recovery to know more.
func ByRecovery(err error) bool {
	code := Code(err)
	return code != "" && code != "TooManyRequestsException" && !Taken(err)
}
