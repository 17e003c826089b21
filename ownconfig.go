package codegrant

import (
	"context"
	"net/http"
)

// OwnSessions configures /auth/sessions, where people see and end their sessions, and how
// many they may have. The zero value limits nothing.
type OwnSessions struct {
	// PerPerson is how many sessions a person may have at once: with one more, the oldest
	// ends. Where browsers carry the sessions it has no effect. Defaults to any number.
	PerPerson int

	// RefuseFurther refuses the new sign-in instead. Defaults to false.
	RefuseFurther bool

	// DescribeAgent puts a User-Agent header in words: package device's Describe does.
	// Defaults to the header itself.
	DescribeAgent func(userAgent string) (browser, system string)

	// ClientAddress is where a request comes from. Defaults to the other end of the
	// connection, which behind a proxy is the proxy.
	ClientAddress func(r *http.Request) string

	// GlobalSignOut has the pool revoke every refresh token of a person who is signed out
	// everywhere: by AdminUserGlobalSignOut, with AWS credentials of yours. Defaults to
	// GlobalSignOut by the person's own access token, where Scopes has
	// aws.cognito.signin.user.admin, and else to nothing; the page says so.
	GlobalSignOut func(ctx context.Context, username string) error
}

func (o OwnSessions) check(fault func(field, format string, args ...any)) {
	if o.PerPerson < 0 {
		fault("Own.PerPerson", "%d is below 0, which is any number", o.PerPerson)
	}
}
