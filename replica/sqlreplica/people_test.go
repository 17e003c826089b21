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

// howMany people a test makes: a share of CODEGRANT_PEOPLE, or a sample.
func howMany(sample, share int) int {
	if n, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && n > 0 {
		return max(n/share, 1)
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
// a pool allows is among them. Everybody comes in a batch, as in a pass of sync, and changes
// once; every twentieth change comes by itself, as with a sign-in. Of CODEGRANT_PEOPLE a
// quarter comes to each engine's own tables, and a fortieth to Django's, where each account is
// looked up for itself.
func TestS270_PeopleAtRandomInTheReplica(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, foldsGroups bool) {
		n := howMany(60, 4)
		if _, django := s.tables.(djangoTables); django {
			n = howMany(40, 40)
		}
		at, begun, folded := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Now(), 0
		for round := range 2 {
			maker := peopletest.New(3) // the same people in each round
			at = at.Add(time.Second)
			var people []peopletest.Person
			var stated []replica.Snapshot
			for i := range n {
				p := maker.Next()
				if i%1000 == 0 {
					p = maker.Largest()
				}
				changed := p
				changed.Attributes = maps.Clone(p.Attributes)
				if maker.Change(&changed); round == 1 {
					p = changed
				}
				fitted, err := snapshotOf(p, at).Fit()
				if err != nil {
					t.Fatalf("person %d: %v", i, err)
				}
				people, stated = append(people, p), append(stated, fitted)
			}
			refused := make(map[string]bool)
			for batch := range slices.Chunk(stated, 500) {
				maps.Copy(refused, state(t, s, batch, round == 1))
			}
			if folded += len(refused); folded > 0 && !foldsGroups {
				t.Fatalf("refused: %v", refused)
			}
			same(t, s, people, stated, refused, round == 0)
		}
		t.Logf("%d people, twice each, in %s; %d statements refused for a collation", n, time.Since(begun).Round(time.Second/10), folded)
		if folded > n {
			t.Errorf("%d of %d statements were refused", folded, 2*n)
		}
	})
}

// state has the store told of everything in a batch, or of every twentieth by itself, and returns who was
// refused because a collation folds what the pool tells apart.
func state(t *testing.T, s *Store, stated []replica.Snapshot, singly bool) map[string]bool {
	t.Helper()
	refused := make(map[string]bool)
	var batch []replica.Snapshot
	for i, snapshot := range stated {
		if !singly || i%20 != 0 {
			batch = append(batch, snapshot)
			continue
		}
		if _, err := s.Apply(t.Context(), snapshot); errors.Is(err, replica.ErrConflict) {
			refused[snapshot.Subject] = true // as TestDjangoCollation shows
		} else if err != nil {
			t.Fatalf("%+v: %v", snapshot, err)
		}
	}
	_, err := s.ApplyBatch(t.Context(), batch)
	var partly *replica.BatchError
	if errors.As(err, &partly) {
		for _, r := range partly.Refused {
			if !errors.Is(r.Err, replica.ErrConflict) {
				t.Fatalf("%+v: %v", batch[r.Index], r.Err)
			}
			refused[r.Subject] = true
		}
	} else if err != nil {
		t.Fatal(err)
	}
	return refused
}

// same compares what is read of everybody who was not refused, and what the outbox said of
// them last, with what was stated.
func same(t *testing.T, s *Store, people []peopletest.Person, stated []replica.Snapshot, refused map[string]bool, changed bool) {
	t.Helper()
	read := make(map[string]replica.User)
	for q := (replica.UserQuery{Issuer: stated[0].Issuer, Limit: replica.MaxPage}); ; {
		page, err := s.Users(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			read[u.Subject] = u
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	told := make(map[string]replica.RecordedUser)
	for _, e := range takeAll(t, s, 500) {
		told[e.Record.User.Subject] = e.Record.User
	}
	for i, want := range stated {
		if refused[want.Subject] {
			continue
		}
		u := read[want.Subject]
		var groups, toldGroups []string
		for _, m := range u.Groups {
			groups = append(groups, m.Name)
		}
		slices.Sort(groups)
		custom := want.Custom
		if len(custom) == 0 {
			custom = u.Custom // nil, or empty
		}
		if u.Username != want.Username || u.Email != want.Email || u.EmailVerified != want.EmailVerified || u.Name != want.Name || u.GivenName != want.GivenName ||
			u.FamilyName != want.FamilyName || u.PhoneNumber != want.PhoneNumber || u.PhoneNumberVerified != want.PhoneNumberVerified || u.Locale != want.Locale ||
			!maps.Equal(u.Custom, custom) || !slices.Equal(groups, slices.Sorted(slices.Values(people[i].Groups))) {
			t.Fatalf("stated %+v, read %+v", want, u)
		}
		last, ok := told[want.Subject]
		if !ok && changed {
			t.Fatalf("nobody was told of %+v", want)
		}
		for _, m := range last.Groups {
			toldGroups = append(toldGroups, m.Name)
		}
		slices.Sort(toldGroups)
		if ok && (last.Name != u.Name || last.Email != u.Email || !slices.Equal(toldGroups, groups) || !maps.Equal(last.Custom, custom) && len(custom) > 0) {
			t.Fatalf("stated %+v, the outbox says %+v", want, last)
		}
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
