package replica

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestS115_SnapshotLimits(t *testing.T) {
	many := func(n int) (refs []GroupRef) {
		for i := range n {
			refs = append(refs, GroupRef{Name: fmt.Sprint("g", i)})
		}
		return refs
	}
	custom := func(n int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprint("custom:", i)] = "x"
		}
		return m
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name string
		edit func(*Snapshot)
		says string // empty: valid
	}{
		{"as Cognito states it", func(*Snapshot) {}, ""},
		{"the least", func(s *Snapshot) { *s = Snapshot{Issuer: "i", Subject: "s", At: t0} }, ""},
		{"no issuer", func(s *Snapshot) { s.Issuer = "" }, "issuer is empty"},
		{"no subject", func(s *Snapshot) { s.Subject = "" }, "subject is empty"},
		{"no time", func(s *Snapshot) { s.At = time.Time{} }, "time of the statement is missing"},
		{"a time of milliseconds", func(s *Snapshot) { s.At = time.Unix(1772366400000, 0) }, "year 58134"},
		{"a time of groups in milliseconds", func(s *Snapshot) { s.GroupsAt = time.Unix(1772366400000, 0) }, "year 58134"},
		{"longest subject", func(s *Snapshot) { s.Subject = long(255) }, ""},
		{"subject too long", func(s *Snapshot) { s.Subject = long(256) }, "subject has 256 bytes, at most 255"},
		{"longest attribute", func(s *Snapshot) { s.Name = long(2048) }, ""},
		{"attribute too long", func(s *Snapshot) { s.Name = long(2049) }, "name has 2049 bytes"},
		{"bytes count, not characters", func(s *Snapshot) { s.Email = strings.Repeat("é", 1025) }, "email has 2050 bytes"},
		{"not UTF-8", func(s *Snapshot) { s.Username = "a\xff" }, "username is not UTF-8"},
		{"NUL", func(s *Snapshot) { s.GivenName = "a\x00b" }, "given_name holds the control character U+0000"},
		{"line break", func(s *Snapshot) { s.FamilyName = "a\nb" }, "family_name holds the control character U+000A"},
		{"C1 control", func(s *Snapshot) { s.Locale = "a\u0085" }, "locale holds the control character U+0085"},
		{"joiners of scripts and emoji", func(s *Snapshot) { s.Name = "علی\u200cرضا 👩\u200d💻" }, ""},
		{"address of several lines", func(s *Snapshot) { s.Custom = map[string]string{"address": "a\r\nb\tc"} }, ""},
		{"NUL in a custom attribute", func(s *Snapshot) { s.Custom = map[string]string{"custom:x": "\x00"} }, `custom attribute "custom:x" holds`},
		{"custom attribute too long", func(s *Snapshot) { s.Custom = map[string]string{"custom:x": long(2049)} }, "2049 bytes"},
		{"custom attribute without name", func(s *Snapshot) { s.Custom = map[string]string{"": "x"} }, "has no name"},
		{"name of a custom attribute too long", func(s *Snapshot) { s.Custom = map[string]string{long(129): "x"} }, "129 bytes"},
		{"most custom attributes", func(s *Snapshot) { s.Custom = custom(100) }, ""},
		{"too many custom attributes", func(s *Snapshot) { s.Custom = custom(101) }, "101 custom attributes"},
		{"longest name of a pass", func(s *Snapshot) { s.Pass = long(64) }, ""},
		{"name of a pass too long", func(s *Snapshot) { s.Pass = long(65) }, "pass has 65 bytes, at most 64"},
		{"most groups", func(s *Snapshot) { s.Groups = many(1000) }, ""},
		{"too many groups", func(s *Snapshot) { s.Groups = many(1001) }, "1001 groups"},
		{"group without name", func(s *Snapshot) { s.Groups = refs("") }, "the name is empty"},
		{"group of 128 characters", func(s *Snapshot) { s.Groups = refs(strings.Repeat("𝒳", 128)) }, ""},
		{"group too long", func(s *Snapshot) { s.Groups = refs(long(513)) }, "513 bytes"},
		{"group with a control character", func(s *Snapshot) { s.Groups = refs("a\x1b[m") }, "U+001B"},
		{"groups that are not known", func(s *Snapshot) { s.GroupsKnown = false }, "not marked as known"},
		{"group that claims to be local", func(s *Snapshot) { s.Groups = []GroupRef{{Name: "x", Origin: OriginLocal}} }, "which a pool cannot state"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := stating(0, test.edit).Validate()
			switch {
			case test.says == "":
				if err != nil {
					t.Errorf("Validate() = %v, want nil", err)
				}
			case !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.says):
				t.Errorf("Validate() = %v, want ErrInvalid that says %q", err, test.says)
			}
		})
	}
}

func TestSnapshotFaultsAtOnce(t *testing.T) {
	err := Snapshot{Subject: "a\xff", Groups: refs("")}.Validate()
	for _, says := range []string{"issuer is empty", "subject is not UTF-8", "not marked as known", "name is empty", "time of the statement"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Validate() = %v, want it to say %q", err, says)
		}
	}
}
