package cloudfront

import "errors"

// What signing refuses. Errors wrap one of these and name the value and the mend.
var (
	// ErrKey refuses a signing key or its id.
	ErrKey = errors.New("signing key refused")
	// ErrPolicy refuses a policy, or a cookie value that is not one.
	ErrPolicy = errors.New("policy refused")
	// ErrSegment: a text cannot become part of a resource without changing what the resource covers.
	ErrSegment = errors.New("text unfit for a resource")
)
