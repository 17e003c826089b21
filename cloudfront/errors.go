package cloudfront

import "errors"

// These are the faults of a configuration and of signing. Errors wrap one of them, name the
// value, and say how to fix it.
var (
	// ErrKey refuses a signing key or its id.
	ErrKey = errors.New("signing key refused")
	// ErrPolicy refuses a policy, or a cookie value that is not one.
	ErrPolicy = errors.New("policy refused")
	// ErrResource refuses a [Resource].
	ErrResource = errors.New("resource refused")
	// ErrDomain refuses a cookie domain.
	ErrDomain = errors.New("cookie domain refused")
)

// Why one request got no cookies. [Cookies.Grant] returns them and [Config.OnError] gets them.
var (
	// ErrHost: the request is for a host that [Config.Domains] does not list.
	ErrHost = errors.New("host not listed")
	// ErrAddress: [Config.ClientIP] knows no IPv4 address, the only kind that CloudFront policies can name.
	ErrAddress = errors.New("no IPv4 client address")
	// ErrSegment: a text cannot become part of a resource without changing what the resource covers.
	ErrSegment = errors.New("text unfit for a resource")
)
