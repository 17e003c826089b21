package cognito

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrMalformedCallback: the callback's query is not one that Cognito makes.
var ErrMalformedCallback = errors.New("malformed callback")

// Callback is what the pool sent the browser back with: a code, or an error.
// Nothing in it may be believed before State is known to be of a sign-in that
// this browser began.
type Callback struct {
	Code   string
	State  string
	Issuer string // RFC 9207; Cognito sends none today
	Err    *CallbackError
}

// CallbackError is a refusal that came through the browser. Anybody can make a
// link with any text in it: show texts of your own for the codes, or what
// [ParseTriggerError] finds, escaped.
type CallbackError struct {
	Code        string // such as login_required; bounded plain text
	Description string // bounded plain text; may be empty
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

// ParseCallback reads the query of a request to the callback (RFC 6749, sections
// 4.1.2 and 4.1.2.1). It refuses repeated and overlong parameters, and a query
// that holds both or neither of a code and an error. The order of parameters means
// nothing, and unknown ones are ignored.
func ParseCallback(query url.Values) (Callback, error) {
	for _, name := range [...]string{"code", "state", "iss", "error"} {
		if values := query[name]; len(values) > 1 {
			return Callback{}, fmt.Errorf("%w: parameter %s is repeated", ErrMalformedCallback, name)
		} else if len(values) == 1 && len(values[0]) > maxParameter {
			return Callback{}, fmt.Errorf("%w: parameter %s is too long", ErrMalformedCallback, name)
		}
	}
	c := Callback{Code: query.Get("code"), State: query.Get("state"), Issuer: query.Get("iss")}
	if !query.Has("error") {
		if c.Code == "" {
			return Callback{}, fmt.Errorf("%w: it holds neither a code nor an error", ErrMalformedCallback)
		}
		return c, nil
	}
	if query.Has("code") {
		return Callback{}, fmt.Errorf("%w: it holds both a code and an error", ErrMalformedCallback)
	}
	// Cognito doubles the name in some of its texts, so that a repeated
	// description is not a reason to tell the person less.
	description := query.Get("error_description")
	if len(description) > maxDescription {
		return Callback{}, fmt.Errorf("%w: parameter error_description is too long", ErrMalformedCallback)
	}
	c.Err = &CallbackError{
		Code:        plain(query.Get("error"), 64),
		Description: plain(strings.TrimPrefix(description, "error_description="), maxDescription),
	}
	if c.Err.Code == "" {
		return Callback{}, fmt.Errorf("%w: its error is empty", ErrMalformedCallback)
	}
	// Live pools report an unknown scope as invalid_request with this text.
	if c.Err.Code == "invalid_request" && c.Err.Description == "invalid_scope" {
		c.Err = &CallbackError{Code: "invalid_scope"}
	}
	return c, nil
}
