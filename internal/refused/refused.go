package refused

import "errors"

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

// ByRecovery reports whether a change may be refused because the pool is being recovered.
// Cognito does not say which error that is: it is any but those that name another reason.
// Whoever asks whether there is a recovery knows more.
func ByRecovery(err error) bool {
	code := Code(err)
	return code != "" && code != "TooManyRequestsException" && !Taken(err)
}
