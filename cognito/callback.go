package cognito

import (
	"errors"
	"fmt"
	"net/url"
)

// ErrMalformedCallback: the callback's query is not one that Cognito makes.
var ErrMalformedCallback = errors.New("malformed callback")

// Callback is what the pool sent the browser back with. Nothing in it may be
// believed before State is known to be of a sign-in that this browser began.
type Callback struct {
	Code   string
	State  string
	Issuer string // RFC 9207; Cognito sends none today
	Err    *CallbackError
}

// CallbackError is a refusal that came through the browser. Anybody can make a
// link with any text in it.
type CallbackError struct {
	Code        string
	Description string
}

func (e *CallbackError) Error() string {
	if e.Description == "" {
		return "pool sent back " + e.Code
	}
	return "pool sent back " + e.Code + ": " + e.Description
}

// Codes and states of ours and Cognito's are far shorter; a description can hold
// a trigger's message in several languages.
const (
	maxParameter   = 2 << 10
	maxDescription = 8 << 10
)

// ParseCallback reads the query of a request to the callback. It refuses repeated
// and overlong parameters, and a query that holds both or neither of a code and
// an error. The order of parameters means nothing.
func ParseCallback(query url.Values) (Callback, error) {
	for _, name := range [...]string{"code", "state", "iss", "error", "error_description"} {
		limit := maxParameter
		if name == "error_description" {
			limit = maxDescription
		}
		switch values := query[name]; {
		case len(values) > 1:
			return Callback{}, fmt.Errorf("%w: parameter %s is repeated", ErrMalformedCallback, name)
		case len(values) == 1 && len(values[0]) > limit:
			return Callback{}, fmt.Errorf("%w: parameter %s is too long", ErrMalformedCallback, name)
		}
	}
	c := Callback{Code: query.Get("code"), State: query.Get("state"), Issuer: query.Get("iss")}
	if query.Has("error") || query.Has("error_description") {
		c.Err = &CallbackError{Code: bounded(query.Get("error"), 64), Description: bounded(query.Get("error_description"), maxDescription)}
		// Live pools report an unknown scope as invalid_request with this text.
		if c.Err.Description == "invalid_scope" {
			c.Err.Code, c.Err.Description = "invalid_scope", ""
		}
	}
	if (c.Code == "") == (c.Err == nil) {
		return Callback{}, fmt.Errorf("%w: it holds both a code and an error, or neither", ErrMalformedCallback)
	}
	return c, nil
}
