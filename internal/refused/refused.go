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
