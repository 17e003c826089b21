package replica

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestS133_ParseCursor(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, test := range []struct {
		name, cursor string
		id           int64 // 0: refused
	}{
		{"one", Cursor(1), 1},
		{"the last ID", Cursor(math.MaxInt64), math.MaxInt64},
		{"zero", Cursor(0), 0},
		{"negative", Cursor(-1), 0},
		{"a number", "17", 0},
		{"SQL", "1 OR 1=1 --x", 0},
		{"line break inside", Cursor(1)[:11] + "\n" + Cursor(1)[11:], 0},
		{"line break for a character", Cursor(1)[:11] + "\n", 0},
		{"padded", Cursor(1) + "=", 0},
		{"another version", encode([]byte{2, 0, 0, 0, 0, 0, 0, 0, 1}), 0},
		{"too long", encode([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0}), 0},
		{"too short", encode([]byte{1, 0, 0, 0, 1}), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := ParseCursor(test.cursor)
			if id != test.id || errors.Is(err, ErrInvalid) != (test.id == 0) {
				t.Errorf("ParseCursor(%q) = %d, %v; want %d", test.cursor, id, err, test.id)
			}
		})
	}
	if id, err := ParseCursor(""); id != 0 || err != nil {
		t.Errorf("ParseCursor of the empty cursor = %d, %v; want the beginning", id, err)
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", Cursor(1), Cursor(math.MaxInt64), Cursor(0), Cursor(-1), "AQAAAAAAAAAB\n", "1", strings.Repeat("A", 12)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := ParseCursor(cursor)
		switch {
		case err != nil:
			if id != 0 || !errors.Is(err, ErrInvalid) {
				t.Errorf("ParseCursor(%q) = %d, %v", cursor, id, err)
			}
		case cursor != "" && (id <= 0 || Cursor(id) != cursor):
			t.Errorf("ParseCursor(%q) = %d, whose cursor is %q", cursor, id, Cursor(id))
		}
	})
}

func TestSearchRange(t *testing.T) {
	finds := func(search, key string) bool {
		low, high, ok := SearchRange(search)
		return ok && low <= key && key < high
	}
	for _, test := range []struct {
		name, search, value string
		want                bool
	}{
		{"the whole", "alice", "alice", true},
		{"a beginning", "ali", "alice", true},
		{"another case", "ALI", "Alice", true},
		{"another case beyond ASCII", "ÉLO", "élodie", true},
		{"white space around", " alice ", "alice", true},
		{"not the middle", "lice", "alice", false},
		{"S-119: percent stands for itself", "%", "alice", false},
		{"S-119: percent is found", "100%", "100% Alice", true},
		{"S-119: underscore stands for itself", "a_ice", "alice", false},
		{"S-119: underscore is found", "google_1", "Google_123", true},
		{"S-119: backslash", `a\`, `a\b`, true},
		{"S-119: quote", "o'", "O'Brien", true},
		{"followed by the highest character in use", "a", "a\U0010FFFD", true},
		{"empty finds everything", "", "alice", true},
		{"not UTF-8", "a\xff", "a\xff", false},
		{"NUL", "a\x00", "a", false},
		{"cut like the key", strings.Repeat("x", 300), strings.Repeat("X", 400), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := finds(test.search, SearchKey(test.value)); got != test.want {
				t.Errorf("search %q finds %q: %v, want %v", test.search, test.value, got, test.want)
			}
		})
	}
}

func FuzzSearchRange(f *testing.F) {
	for _, seed := range []string{"", "alice", "%_\\'", "İstanbul", "ſ", "K", "\xff", "\x00", strings.Repeat("é", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		low, high, ok := SearchRange(s)
		if !ok {
			return
		}
		if !utf8.ValidString(low) || !utf8.ValidString(high) || low >= high || utf8.RuneCountInString(low) > MaxSearchKey {
			t.Errorf("SearchRange(%q) = %q, %q", s, low, high)
		}
		if key := SearchKey(low); key < low || key >= high {
			t.Errorf("SearchRange(%q) does not find %q", s, key)
		}
	})
}

func TestSearchKeys(t *testing.T) {
	for _, test := range []struct {
		name string
		user User
		want SearchKeys
	}{
		{"all", User{Username: "Google_1", Email: "A@Example.com", Name: "Alice Smith", FamilyName: "Smith"}, SearchKeys{"google_1", "a@example.com", "alice smith", "smith"}},
		{"no whole name", User{GivenName: "Alice", FamilyName: "Smith"}, SearchKeys{Name: "alice smith", FamilyName: "smith"}},
		{"family name alone", User{FamilyName: "Smith"}, SearchKeys{Name: "smith", FamilyName: "smith"}},
		{"nothing", User{}, SearchKeys{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.user.SearchKeys(); got != test.want {
				t.Errorf("SearchKeys() = %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestPageSize(t *testing.T) {
	for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 1000: 1000, 1001: 1000, math.MaxInt: 1000} {
		if got := PageSize(limit); got != want {
			t.Errorf("PageSize(%d) = %d, want %d", limit, got, want)
		}
	}
}
