package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/codegrant/codegrant/internal/quotas"
)

// TestS263_OneRuleForTexts: whatever characters a pool has, a store takes the person.
func TestS263_OneRuleForTexts(t *testing.T) {
	for _, tt := range []struct{ name, text, want, custom string }{
		{"plain", "Zoë Müller", "Zoë Müller", "Zoë Müller"},
		{"a line break", "Zoë\nMüller", "Zoë Müller", "Zoë\nMüller"},
		{"a line break of Windows", "Zoë\r\nMüller", "Zoë Müller", "Zoë\r\nMüller"},
		{"a tab", "Zoë\tMüller", "Zoë Müller", "Zoë\tMüller"},
		{"U+0085", "Zoë\u0085Müller", "Zoë Müller", "Zoë Müller"},
		{"several", "Zoë\x00\x1b\u009fMüller", "Zoë Müller", "Zoë Müller"},
		{"at both ends", "\nZoë\x7f", "Zoë", "\nZoë"},
		{"nothing else", "\x00\x01", "", ""},
		{"not UTF-8", "Zo\xeb", "Zo\uFFFD", "Zo\uFFFD"},
		{"what is no control", "a\u202eb\u200dc\u00a0d e", "a\u202eb\u200dc\u00a0d e", "a\u202eb\u200dc\u00a0d e"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stating(0, func(s *Snapshot) {
				for _, text := range s.texts() {
					*text = tt.text
				}
				s.EmailVerified, s.PhoneNumberVerified = true, true
				s.Custom = map[string]string{"custom:note": tt.text}
				s.Complete = true
			})
			got, err := s.Fit()
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range got.texts() {
				if *text != tt.want {
					t.Errorf("text %d is %q, want %q", i, *text, tt.want)
				}
			}
			same := tt.want == tt.text // another address is not the one that was verified
			if got.Custom["custom:note"] != tt.custom || !got.Complete || got.EmailVerified != same || got.PhoneNumberVerified != same || got.Validate() != nil {
				t.Errorf("%+v", got)
			}
			if s.Name != tt.text || s.Custom["custom:note"] != tt.text {
				t.Error("what was stated has changed")
			}
			if again, err := got.Fit(); err != nil || again.Name != got.Name || !maps.Equal(again.Custom, got.Custom) {
				t.Errorf("the second time: %+v, %v", again, err)
			}
		})
	}
}

// TestS263_WhatDoesNotFitIsLeftOut, and named, and keeps nothing else.
func TestS263_WhatDoesNotFitIsLeftOut(t *testing.T) {
	long := strings.Repeat("x", MaxAttributeBytes+1)
	s := stating(0, func(s *Snapshot) {
		s.Name, s.GivenName, s.Complete = "Alice", long, true
		s.Custom = map[string]string{"custom:a": "a", "custom:long": long, "": "nameless", strings.Repeat("k", MaxCustomKeyBytes+1): "k"}
		s.Groups = refs("admins", "a\nb", strings.Repeat("g", MaxGroupBytes+1), "editors")
	})
	got, err := s.Fit()
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "given_name") || !strings.Contains(err.Error(), "custom:long") || !strings.Contains(err.Error(), "U+000A") {
		t.Errorf("Fit() = %v", err)
	}
	if got.Validate() != nil || got.Complete || got.Name != "Alice" || got.GivenName != "" || !maps.Equal(got.Custom, map[string]string{"custom:a": "a"}) ||
		!slices.Equal(got.Groups, refs("admins", "editors")) {
		t.Errorf("%+v", got)
	}
	if got, err := (Snapshot{Subject: "\n"}).Fit(); err == nil || got.Validate() == nil {
		t.Errorf("nobody, at no time: %+v", got)
	}
}

// TestTheLargestPersonFits: what a pool can have is within what a replica takes.
func TestTheLargestPersonFits(t *testing.T) {
	s := stating(0, func(s *Snapshot) {
		for _, text := range []*string{&s.Email, &s.Name, &s.GivenName, &s.FamilyName, &s.Locale} {
			*text = strings.Repeat("x", quotas.AttributeBytes)
		}
		s.Username = strings.Repeat("𝄞", quotas.UsernameCharacters)
		s.Custom = map[string]string{}
		for i := range quotas.CustomAttributes {
			s.Custom[fmt.Sprintf("custom:%02d", i)+strings.Repeat("𝄞", 18)] = strings.Repeat("x", quotas.AttributeBytes)
		}
		s.Custom["address"] = strings.Repeat("x", quotas.AttributeBytes)
		for i := range quotas.GroupsPerUser {
			s.Groups = append(s.Groups, GroupRef{Name: fmt.Sprintf("%03d", i) + strings.Repeat("𝄞", quotas.GroupNameCharacters-3)})
		}
	})
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("Zoë\nMüller", "custom:a", "\x00", "admins")
	f.Add("\xff", "", strings.Repeat("x", 3000), "a b")
	f.Add("\u0085", "k\n", "\u2028", "")
	f.Fuzz(func(t *testing.T, text, key, value, group string) {
		s := stating(0, func(s *Snapshot) {
			for _, field := range s.texts() {
				*field = text
			}
			s.Custom, s.Groups = map[string]string{key: value}, refs(group)
		})
		got, err := s.Fit()
		if got.Validate() != nil {
			t.Errorf("Fit() = %+v, %v, which is not valid: %v", got, err, got.Validate())
		}
		if err == nil && (len(got.Groups) != 1 || got.Groups[0].Name != group) {
			t.Errorf("a group became %+v", got.Groups)
		}
		if !utf8.ValidString(got.Name) {
			t.Errorf("%q", got.Name)
		}
	})
}
