package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// cursor is what the token of a page says: where to go on, for which request.
type cursor struct {
	After   string `json:"after"`
	Request []byte `json:"request"`
	Expires int64  `json:"expires,omitempty"`
}

// listTokenLifetime is how long a token of ListUsers lives. Others do not expire.
const listTokenLifetime = time.Hour

// sum is of a request, whose token is left out, and of its type: two lists may be asked for
// by the same members.
func sum(request any) []byte {
	b, err := json.Marshal(request)
	if err != nil {
		panic(err) // it was decoded a moment ago
	}
	s := sha256.Sum256(fmt.Appendf(b, " of %T", request))
	return s[:16]
}

// pageToken makes the token for the page that follows; of the last page there is
// none.
func pageToken(after string, request any, expires time.Time) string {
	if after == "" {
		return ""
	}
	c := cursor{After: after, Request: sum(request)}
	if !expires.IsZero() {
		c.Expires = expires.Unix()
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sortedBy is a list in the order of its keys.
func sortedBy[T any](list []T, key func(T) string) []T {
	return slices.SortedFunc(slices.Values(list), func(x, y T) int { return strings.Compare(key(x), key(y)) })
}

// pageOf cuts a page out of a list that is in the order of its keys.
func pageOf[T any](a *API, token string, request any, list []T, limit int, key func(T) string) (page []T, next string, err error) {
	after, err := resume(token, request, a.state.Now())
	if err != nil {
		return nil, "", err
	}
	from := slices.IndexFunc(list, func(item T) bool { return key(item) > after })
	if from < 0 {
		return nil, "", nil
	}
	page = list[from:min(from+limit, len(list))]
	if from+len(page) == len(list) {
		return page, "", nil
	}
	return page, pageToken(key(page[len(page)-1]), request, time.Time{}), nil
}

// resume reads a token, which is good for the same request alone.
func resume(token string, request any, now time.Time) (after string, err error) {
	if token == "" {
		return "", nil
	}
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(b, &c) != nil || c.After == "" || string(c.Request) != string(sum(request)) {
		return "", invalid("Invalid pagination token.")
	}
	if c.Expires != 0 && now.Unix() >= c.Expires {
		return "", invalid("Pagination token has expired.")
	}
	return c.After, nil
}
