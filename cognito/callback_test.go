package cognito

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

func TestParseCallback(t *testing.T) {
	denied := func(state, code, description string) Callback {
		return Callback{State: state, Err: &CallbackError{Code: code, Description: description}}
	}
	tests := []struct {
		name, query string
		want        Callback
	}{
		{"code", "code=c&state=s", Callback{Code: "c", State: "s"}},
		{"code and issuer", "state=s&iss=https://issuer.example/p&code=c", Callback{Code: "c", State: "s", Issuer: "https://issuer.example/p"}},
		{"code without state", "code=c", Callback{Code: "c"}},
		{"unknown parameters", "code=c&state=s&session_state=x&session_state=y", Callback{Code: "c", State: "s"}},
		{"error", "error=login_required&state=s", denied("s", "login_required", "")},
		{"error without state", "error=server_error", denied("", "server_error", "")},
		{"error, in Cognito's order", "error_description=attributes+required%3A+%5Bemail%5D&state=s&error=invalid_request",
			denied("s", "invalid_request", "attributes required: [email]")},
		{"unknown scope, as live pools say it", "error_description=invalid_scope&state=s&error=invalid_request", denied("s", "invalid_scope", "")},
		{"unknown scope, as the documentation says it", "error=invalid_scope&state=s", denied("s", "invalid_scope", "")},
		{"doubled name", "error_description=error_description%3DTimeout+in+calling+jwks+uri&error=invalid_request", denied("", "invalid_request", "Timeout in calling jwks uri")},
		{"two descriptions", "error_description=a&error=invalid_request&error_description=b", denied("", "invalid_request", "a")},
		{"empty description", "error_description=&error=invalid_request", denied("", "invalid_request", "")},
		{"S-035 control characters", "error=x%00y&error_description=a%0d%0ab%1b[0m%C2%85%E2%80%A8c", denied("", "x y", "a  b [0m  c")},
		{"S-035 text that turns around", "error=x&error_description=a%E2%80%AEb%E2%81%A6c%EF%BB%BF", denied("", "x", "abc")},
		{"S-035 broken UTF-8", "error=x&error_description=a%FFb", denied("", "x", "a b")},
		{"S-035 markup is text", "error=x&error_description=%3Cscript%3E", denied("", "x", "<script>")},
		{"S-035 endless code", "error=" + strings.Repeat("ä", 100), denied("", strings.Repeat("ä", 32)+"…", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCallback(parseQuery(t, tt.query))
			if err != nil {
				t.Fatal(err)
			}
			if (got.Err == nil) != (tt.want.Err == nil) || got.Err != nil && *got.Err != *tt.want.Err {
				t.Errorf("ParseCallback() = %+v, want %+v", got.Err, tt.want.Err)
			}
			if got.Err = tt.want.Err; got != tt.want {
				t.Errorf("ParseCallback() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestS028_CallbacksThatCognitoDoesNotMake(t *testing.T) {
	long := strings.Repeat("x", maxParameter+1)
	for name, query := range map[string]string{
		"nothing":                   "",
		"neither code nor error":    "state=s",
		"empty code":                "code=&state=s",
		"empty error":               "error=&state=s",
		"error of control bytes":    "error=%00&state=s",
		"description alone":         "error_description=x&state=s",
		"both code and error":       "code=a&error=b&state=s",
		"code and empty error":      "code=a&error=&state=s",
		"error and empty code":      "code=&error=b&state=s",
		"code twice":                "code=a&code=b&state=s",
		"code twice, the same":      "code=a&code=a&state=s",
		"state twice":               "state=s&code=a&state=t",
		"error twice":               "error=a&error=b&state=s",
		"issuer twice":              "code=a&iss=a&iss=b&state=s",
		"code twice, empty first":   "code=&code=b&state=s",
		"state twice, empty second": "code=a&state=s&state=",
		"long code":                 "code=" + long + "&state=s",
		"long state":                "code=c&state=" + long,
		"long issuer":               "code=c&iss=" + long,
		"long error":                "error=" + long,
		"long description":          "error=c&error_description=" + strings.Repeat(long, 5),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCallback(parseQuery(t, query))
			if !errors.Is(err, ErrMalformedCallback) || got != (Callback{}) {
				t.Errorf("ParseCallback() = %+v, %v, want %v", got, err, ErrMalformedCallback)
			}
			if err != nil && len(err.Error()) > 100 {
				t.Errorf("error %v repeats the query", err)
			}
		})
	}
}

func parseQuery(t *testing.T, raw string) url.Values {
	t.Helper()
	query, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return query
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"pool sent back login_required":                        &CallbackError{Code: "login_required"},
		"pool sent back invalid_request: attributes required":  &CallbackError{Code: "invalid_request", Description: "attributes required"},
		"pool answered invalid_grant (status 400)":             &Error{Code: "invalid_grant", Status: 400},
		"pool answered invalid_client: wrong one (status 401)": &Error{Code: "invalid_client", Description: "wrong one", Status: 401},
	} {
		if err.Error() != want {
			t.Errorf("Error() = %q, want %q", err, want)
		}
	}
}

// expectPlain wants text that can go into a log line or a page.
func expectPlain(t *testing.T, what, text string, limit int) {
	t.Helper()
	if len(text) > limit+len("…") || strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u202e'
	}) {
		t.Errorf("%s is not bounded plain text: %q", what, text)
	}
}

func FuzzParseCallback(f *testing.F) {
	f.Add("code=c&state=s")
	f.Add("error_description=PreSignUp+failed+with+error+x@eyJlbiI6ICJtIn0=.+&error=invalid_request&state=s")
	f.Add("error_description=invalid_scope&state=s&error=invalid_request")
	f.Add("error=%00%e2%80%ae%ff")
	f.Add("code=a&code=b")
	f.Add("code=%zz;state")
	f.Fuzz(func(t *testing.T, raw string) {
		query, _ := url.ParseQuery(raw) // as net/http does, broken parts are left out
		c, err := ParseCallback(query)
		if err != nil {
			if !errors.Is(err, ErrMalformedCallback) || c != (Callback{}) {
				t.Errorf("ParseCallback(%q) = %+v, %v", raw, c, err)
			}
			return
		}
		if (c.Code == "") == (c.Err == nil) {
			t.Errorf("ParseCallback(%q) = %+v, not one of code and error", raw, c)
		}
		if len(c.Code) > maxParameter || len(c.State) > maxParameter || len(c.Issuer) > maxParameter {
			t.Errorf("ParseCallback(%q) = %+v, too long", raw, c)
		}
		if c.Err != nil {
			expectPlain(t, "code", c.Err.Code, 64)
			expectPlain(t, "description", c.Err.Description, maxDescription)
			if c.Err.Code == "" {
				t.Errorf("ParseCallback(%q) has an error without a code", raw)
			}
		}
	})
}
