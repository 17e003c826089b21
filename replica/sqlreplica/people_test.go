package sqlreplica

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/internal/quotas"
	"github.com/codegrant/codegrant/replica"
)

// howMany people a test makes: CODEGRANT_PEOPLE, or a sample.
func howMany(sample int) int {
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && n > 0 {
		return n
	}
	return sample
}

// eachTables runs a test on every engine, in tables of its own and in Django's, with an outbox.
func eachTables(t *testing.T, f func(t *testing.T, s *Store, foldsGroups bool)) {
	config := Config{Django: &Django{AdoptVerifiedEmail: true, Unverified: UnverifiedApart}, Outbox: &Outbox{}}
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		f(t, s, false)
	})
	t.Run("Django", func(t *testing.T) {
		eachEngine(t, func(t *testing.T, e testEngine) {
			s, _ := djangoStore(t, e, config)
			f(t, s, e.dialect == MySQL)
		})
	})
}

func snapshotOf(p peopletest.Person, at time.Time) replica.Snapshot {
	s := replica.Snapshot{
		Issuer: "https://issuer.example.com/pool", Subject: p.Subject, Username: p.Username, Email: p.Attributes["email"], EmailVerified: p.Attributes["email_verified"] == "true",
		Name: p.Attributes["name"], GivenName: p.Attributes["given_name"], FamilyName: p.Attributes["family_name"], Locale: p.Attributes["locale"],
		PhoneNumber: p.Attributes["phone_number"], PhoneNumberVerified: p.Attributes["phone_number_verified"] == "true",
		Complete: true, GroupsKnown: true, At: at, Custom: make(map[string]string),
	}
	for name, value := range p.Attributes {
		if strings.HasPrefix(name, "custom:") || name == "address" {
			s.Custom[name] = value
		}
	}
	for _, g := range p.Groups {
		s.Groups = append(s.Groups, replica.GroupRef{Name: g})
	}
	return s
}

// TestS270_PeopleAtRandomInTheReplica: what was applied is what is read, and what the outbox
// tells, in the tables of every engine, whatever its collation folds. The largest person that
// a pool allows is among them.
func TestS270_PeopleAtRandomInTheReplica(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, foldsGroups bool) {
		maker, at, begun := peopletest.New(3), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Now()
		n, folded := howMany(40), 0
		for i := range n {
			p := maker.Next()
			if i%1000 == 0 {
				p = maker.Largest()
			}
			for round := range 2 {
				at = at.Add(time.Second)
				fitted, err := snapshotOf(p, at).Fit()
				if err != nil {
					t.Fatalf("person %d: %v", i, err)
				}
				if _, err = s.Apply(t.Context(), fitted); foldsGroups && errors.Is(err, replica.ErrConflict) {
					folded++ // as TestDjangoCollation shows
				} else if err != nil {
					t.Fatalf("person %d, %+v: %v", i, p, err)
				} else {
					same(t, s, p, fitted, round == 0)
				}
				maker.Change(&p)
			}
		}
		t.Logf("%d people, twice each, in %s; %d statements refused for a collation", n, time.Since(begun).Round(time.Second/10), folded)
		if folded > n {
			t.Errorf("%d of %d statements were refused", folded, 2*n)
		}
	})
}

// same compares what is read, and the last entry of the outbox, with what was stated.
func same(t *testing.T, s *Store, p peopletest.Person, stated replica.Snapshot, changed bool) {
	t.Helper()
	u, err := s.UserBySubject(t.Context(), stated.Issuer, p.Subject)
	if err != nil {
		t.Fatal(err)
	}
	var groups, told []string
	for _, g := range u.Groups {
		groups = append(groups, g.Name)
	}
	custom := stated.Custom
	if len(custom) == 0 {
		custom = u.Custom // nil, or empty
	}
	if u.Username != stated.Username || u.Email != stated.Email || u.EmailVerified != stated.EmailVerified || u.Name != stated.Name || u.GivenName != stated.GivenName ||
		u.FamilyName != stated.FamilyName || u.PhoneNumber != stated.PhoneNumber || u.PhoneNumberVerified != stated.PhoneNumberVerified || u.Locale != stated.Locale ||
		!maps.Equal(u.Custom, custom) || !slices.Equal(slices.Sorted(slices.Values(groups)), slices.Sorted(slices.Values(p.Groups))) {
		t.Fatalf("stated %+v, read %+v", stated, u)
	}
	entries := takeAll(t, s, 100)
	if len(entries) == 0 {
		if changed {
			t.Fatalf("nobody was told of %+v", stated)
		}
		return
	}
	last := entries[len(entries)-1].Record.User
	for _, g := range last.Groups {
		told = append(told, g.Name)
	}
	if last.Subject != p.Subject || last.Name != u.Name || last.Email != u.Email || !slices.Equal(told, groups) || len(last.Custom) != len(u.Custom) {
		t.Fatalf("stated %+v, the outbox says %+v", stated, last)
	}
}

// TestS515_WhatATriggerAddsBeyondDjango: groups that no pool can have, and Django no column
// for, are refused with a word on what is too long, and nothing of the person changes.
func TestS515_WhatATriggerAddsBeyondDjango(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		p := peopletest.New(4).Next()
		p.Attributes["email_verified"] = "true"
		p.Groups = []string{"admins", strings.Repeat("g", maxDjangoName)}
		if _, err := s.Apply(t.Context(), snapshotOf(p, at)); err != nil {
			t.Fatalf("a group as long as may be: %v", err)
		}
		p.Groups = []string{"editors", strings.Repeat("g", maxDjangoName+1)}
		if _, err := s.Apply(t.Context(), snapshotOf(p, at.Add(time.Second))); !errors.Is(err, replica.ErrInvalid) || !strings.Contains(err.Error(), "151 characters") {
			t.Errorf("a longer one: %v", err)
		}
		if u, err := s.UserBySubject(t.Context(), "https://issuer.example.com/pool", p.Subject); err != nil || !u.InGroup("admins") || u.InGroup("editors") {
			t.Errorf("%+v, %v", u, err)
		}
	})
	if maxDjangoName < quotas.GroupNameCharacters {
		t.Error("a pool's own groups do not fit")
	}
}
