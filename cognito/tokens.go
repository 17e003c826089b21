package cognito

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// parseTokens reads the token endpoint's answer (RFC 6749, section 5.1). Unknown
// members are ignored. An answer that cannot be used is a fault of the pool.
func parseTokens(body []byte) (TokenSet, error) {
	members, err := readObject(body)
	if err != nil {
		return TokenSet{}, unusable("read tokens: %w", err)
	}
	str := func(name string) (s string) {
		if raw, ok := members[name]; ok && err == nil && string(raw) != "null" {
			if json.Unmarshal(raw, &s) != nil {
				err = fmt.Errorf("%s is not a string", name)
			}
		}
		return s
	}
	tokens := TokenSet{
		IDToken: Secret(str("id_token")), AccessToken: Secret(str("access_token")), RefreshToken: Secret(str("refresh_token")),
	}
	kind := str("token_type")
	switch {
	case err != nil:
	case tokens.AccessToken == "":
		err = errors.New("no access_token")
	case !strings.EqualFold(kind, "Bearer"):
		err = errors.New("token_type is not Bearer")
	default:
		// Some proxies turn the number into a string.
		var seconds int64
		raw := strings.Trim(string(members["expires_in"]), `"`)
		if json.Unmarshal([]byte(raw), &seconds) != nil || seconds <= 0 || seconds > 31*24*3600 {
			err = errors.New("expires_in is not a sane number of seconds")
		}
		tokens.ExpiresIn = time.Duration(seconds) * time.Second
	}
	if err != nil {
		return TokenSet{}, unusable("read tokens: %w", err)
	}
	return tokens, nil
}

// readObject decodes one JSON object whose names are unique, with nothing after it.
func readObject(body []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the answer is not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errors.New("the answer is not JSON")
		}
		name, _ := t.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, errors.New("the answer is not JSON")
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("the answer names %q twice", bounded(name, 32))
		}
		members[name] = raw
	}
	if _, err := d.Token(); err != nil || d.More() {
		return nil, errors.New("the answer is not JSON")
	}
	return members, nil
}
