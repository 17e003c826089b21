package rehearsal

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestS794_OneProcessAndOneSource: a file is of one process at a time, and its people are of
// the pool or of the replica.
func TestS794_OneProcessAndOneSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "people")
	f := opened(t, path)
	if err := f.Add(Shape{Who: "aaaa", Status: "CONFIRMED", Username: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, oldID, masks, false); !errors.Is(err, errInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, oldID, masks, true); !errors.Is(err, errOtherSource) {
		t.Errorf("of another source: %v", err)
	}
	if f = opened(t, path); !f.Has("aaaa") || f.People() != 1 {
		t.Errorf("%d people", f.People())
	}
}

// TestS793_ValuesAreNobodys: no value of a person is in a file as it is.
func TestS793_ValuesAreNobodys(t *testing.T) {
	for _, tt := range []struct{ name, kind, value, want string }{
		{"custom:staff", "Boolean", "alice@example.com", "false"}, {"custom:staff", "Boolean", "TRUE", "true"}, {"email_verified", "", "alice", "false"},
	} {
		if got := masks.attribute(tt.name, tt.kind, tt.value); got != tt.want {
			t.Errorf("%s %q: %q", tt.name, tt.value, got)
		}
	}
	for _, value := range []string{"é", "ああ", "😀😁", "Ж", "漢字", "ß"} {
		got := masks.text("name", value)
		if len(got) != len(value) || utf8.RuneCountInString(got) != utf8.RuneCountInString(value) {
			t.Errorf("%q: %q", value, got)
		}
		for i, r := range []rune(value) {
			if []rune(got)[i] == r || strings.ContainsRune(got, utf8.RuneError) {
				t.Errorf("%q: %q", value, got)
			}
		}
	}
}
