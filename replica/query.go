package replica

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// UserQuery asks for users of one issuer.
type UserQuery struct {
	Issuer string // required

	// Search keeps the users whose username, e-mail address, name or family name
	// begins with it, in any case; every character stands for itself. Empty: all.
	// It helps people find people and proves nothing about who somebody is.
	Search string

	// Group keeps the members of the group of that name. Empty: all.
	Group string

	// Deleted also includes deleted users.
	Deleted bool

	After string // Next of the page before; empty: from the beginning
	Limit int    // of users in a page; see [PageSize]
}

// UserPage is one page of users.
type UserPage struct {
	Users []User
	Next  string // for After; empty: this is the last page
}

// GroupQuery asks for groups of one issuer.
type GroupQuery struct {
	Issuer string // required
	After  string // Next of the page before; empty: from the beginning
	Limit  int    // of groups in a page; see [PageSize]
}

// GroupPage is one page of groups.
type GroupPage struct {
	Groups []Group
	Next   string // for After; empty: this is the last page
}

// MaxPage is the most that one page holds.
const MaxPage = 1000

const defaultPage = 50

// PageSize returns the number of rows in a page for the limit of a query: 50 for
// 0 and less, and never more than [MaxPage].
func PageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, MaxPage)
}

// Cursor returns Next of a page that ends with the given ID.
func Cursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte{cursorVersion}, uint64(id)))
}

// ParseCursor returns the ID before the first row of a page: 0 for the empty cursor. If
// [Cursor] cannot have made the cursor, the error is [ErrInvalid]. A cursor is not a secret
// and gives no rights: a forged one only begins somewhere else in the same issuer.
func ParseCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	if len(cursor) == 12 {
		b, err := base64.RawURLEncoding.DecodeString(cursor)
		if err == nil && len(b) == 9 && b[0] == cursorVersion {
			// The line breaks that the decoder skips do not survive the way back.
			if id := int64(binary.BigEndian.Uint64(b[1:])); id > 0 && Cursor(id) == cursor {
				return id, nil
			}
		}
	}
	return 0, fmt.Errorf("%w cursor: begin again without one", ErrInvalid)
}

const cursorVersion = 1

// MaxSearchKey is the number of characters that a search looks at.
const MaxSearchKey = 255

// SearchKey returns s as a search compares it: in lower case, and cut to
// [MaxSearchKey] characters. A store keeps the keys of [SearchKeys] and finds
// those that begin with the key of a search.
func SearchKey(s string) string {
	s = strings.ToLower(s)
	if len(s) <= MaxSearchKey {
		return s
	}
	n := 0
	for i := range s {
		if n == MaxSearchKey {
			return s[:i]
		}
		n++
	}
	return s
}

// SearchKeys are what a search finds a user by.
type SearchKeys struct{ Username, Email, Name, FamilyName string }

// SearchKeys returns the keys of u. A user without a whole name is found by the
// given name followed by the family name.
func (u User) SearchKeys() SearchKeys {
	name := u.Name
	if name == "" {
		name = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
	}
	return SearchKeys{SearchKey(u.Username), SearchKey(u.Email), SearchKey(name), SearchKey(u.FamilyName)}
}

// SearchRange returns the keys that a search finds: those from low, and before
// high, compared as bytes. It reports false for a search that finds nothing,
// because no key can hold what it asks for.
func SearchRange(search string) (low, high string, ok bool) {
	if !utf8.ValidString(search) || strings.ContainsRune(search, 0) {
		return "", "", false
	}
	low = SearchKey(strings.TrimSpace(search))
	// The highest character that follows no other in UTF-8 comes after every
	// character of a key, and is none that a person types.
	return low, low + string(utf8.MaxRune), true
}
