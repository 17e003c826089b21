package cognito

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is a response of the pool, or of something in between.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) isJSON() bool {
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// fault is nil for a 200 of bearable size.
func (a answer) fault() error {
	switch {
	case len(a.body) > maxAnswer:
		return unusable("the answer is longer than %d bytes", maxAnswer)
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusTooManyRequests || a.status >= 500:
		err := unusable("status %d", a.status)
		err.RetryAfter = a.retryAfter()
		return err
	case a.status < 400:
		return unusable("status %d; redirects are not followed with credentials", a.status)
	}
	return a.refusal()
}

// refusal reads an OAuth error (RFC 6749, section 5.2). A page of a proxy is none.
func (a answer) refusal() error {
	members, err := readObject(a.body)
	if err != nil || !a.isJSON() {
		return unusable("status %d without an OAuth error", a.status)
	}
	code, err := members.str("error")
	if err != nil || code == "" {
		return unusable("status %d without an OAuth error", a.status)
	}
	if code == "server_error" || code == "temporarily_unavailable" {
		return unusable("status %d, %s", a.status, code)
	}
	description, err := members.str("error_description")
	if err != nil {
		description = ""
	}
	return &Error{Code: code, Description: description, Status: a.status}
}

// retryAfter reads the header's two forms (RFC 9110, section 10.2.3).
func (a answer) retryAfter() time.Duration {
	value := a.header.Get("Retry-After")
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), time.Hour)
}

// tokens reads a grant (RFC 6749, section 5.1). Unknown members are ignored. One
// that cannot be used is a fault of the pool.
func (a answer) tokens() (TokenSet, error) {
	if !a.isJSON() {
		return TokenSet{}, unusable("read tokens: the answer is not declared to be JSON")
	}
	tokens, err := parseTokens(a.body)
	if err != nil {
		return TokenSet{}, unusable("read tokens: %w", err)
	}
	return tokens, nil
}

// parseTokens puts nothing of the body in its errors.
func parseTokens(body []byte) (TokenSet, error) {
	members, err := readObject(body)
	if err != nil {
		return TokenSet{}, err
	}
	id, err1 := members.str("id_token")
	access, err2 := members.str("access_token")
	refresh, err3 := members.str("refresh_token")
	kind, err4 := members.str("token_type")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return TokenSet{}, err
	}
	if access == "" {
		return TokenSet{}, errors.New("no access_token")
	}
	if !strings.EqualFold(kind, "Bearer") {
		return TokenSet{}, errors.New("token_type is not Bearer")
	}
	// A proxy or emulator may have made a string of the number. Cognito's tokens
	// live a day at most.
	seconds, err := strconv.ParseInt(strings.Trim(string(members["expires_in"]), `"`), 10, 64)
	if err != nil || seconds <= 0 || seconds > 31*24*3600 {
		return TokenSet{}, errors.New("expires_in is not a sane number of seconds")
	}
	return TokenSet{Secret(id), Secret(access), Secret(refresh), time.Duration(seconds) * time.Second}, nil
}

// object is a JSON object, with its names as they were written.
type object map[string]json.RawMessage

// str returns a member that is a string; "" where it is missing or null.
func (o object) str(name string) (s string, err error) {
	if raw, ok := o[name]; ok && json.Unmarshal(raw, &s) != nil {
		return "", errors.New(name + " is not a string")
	}
	return s, nil
}

// readObject decodes one JSON object whose names are unique, with nothing after
// it: encoding/json takes the last of two, in any capitals.
func readObject(body []byte) (object, error) {
	notJSON := errors.New("it is not a JSON object")
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, notJSON
	}
	members := make(object)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, notJSON
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, notJSON
		}
		if _, twice := members[name.(string)]; twice {
			return nil, errors.New("it names a member twice")
		}
		members[name.(string)] = raw
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, notJSON
	}
	if len(bytes.TrimSpace(body[d.InputOffset():])) > 0 {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}
