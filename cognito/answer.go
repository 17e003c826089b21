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
	"unicode/utf8"
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
	raw, ok := o[name]
	if ok && isPlain(raw) {
		return string(raw[1 : len(raw)-1]), nil
	}
	if ok && json.Unmarshal(raw, &s) != nil {
		return "", errors.New(name + " is not a string")
	}
	return s, nil
}

// isPlain reports whether a value is a string that stands for what is between its quotes:
// tokens do, and are long.
func isPlain(raw json.RawMessage) bool {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c < ' ' || c >= utf8.RuneSelf || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

// readObject reads one JSON object whose names are unique, with nothing after it:
// encoding/json takes the last of two, in any capitals. It finds where members begin and
// end, and has encoding/json say whether they are what they look like, but for strings that
// are plain: tokens are long, and are read as a person waits.
func readObject(body []byte) (object, error) {
	notJSON := errors.New("it is not a JSON object")
	rest := bytes.TrimLeft(body, space)
	if len(rest) == 0 || rest[0] != '{' {
		return nil, notJSON
	}
	rest = bytes.TrimLeft(rest[1:], space)
	members := make(object)
	for len(rest) > 0 && rest[0] != '}' {
		quoted, after := cutValue(rest)
		var name string
		if isPlain(quoted) {
			name = string(quoted[1 : len(quoted)-1])
		} else if len(quoted) == 0 || quoted[0] != '"' || json.Unmarshal(quoted, &name) != nil {
			return nil, notJSON
		}
		if _, twice := members[name]; twice {
			return nil, errors.New("it names a member twice")
		}
		after = bytes.TrimLeft(after, space)
		if len(after) == 0 || after[0] != ':' {
			return nil, notJSON
		}
		value, after := cutValue(bytes.TrimLeft(after[1:], space))
		if !isPlain(value) && !json.Valid(value) {
			return nil, notJSON
		}
		members[name] = value
		rest = bytes.TrimLeft(after, space)
		if len(rest) > 0 && rest[0] == ',' {
			if rest = bytes.TrimLeft(rest[1:], space); len(rest) > 0 && rest[0] == '}' {
				return nil, notJSON
			}
		} else if len(rest) == 0 || rest[0] != '}' {
			return nil, notJSON
		}
	}
	if len(rest) == 0 {
		return nil, notJSON
	}
	if len(bytes.TrimLeft(rest[1:], space)) > 0 {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

// space is what may stand between the parts of a JSON text.
const space = " \t\r\n"

// cutValue cuts the value that a JSON text begins with, if it is one.
func cutValue(text []byte) (value, rest []byte) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return text, nil
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return text[:i], text[i:]
			}
			depth--
		default:
			if depth == 0 && (text[i] == ',' || text[i] == ':' || strings.IndexByte(space, text[i]) >= 0) {
				return text[:i], text[i:]
			}
			continue
		}
		if depth == 0 {
			return text[:i+1], text[i+1:]
		}
	}
	return text, nil
}
