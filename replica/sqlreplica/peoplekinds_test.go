package sqlreplica

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS658_SubjectsThatLookAlike are people of their own in the tables of every engine,
// whatever its collation folds; the same subject again is the same person, whatever else has
// changed of them.
func TestS658_SubjectsThatLookAlike(t *testing.T) {
	eachTables(t, func(t *testing.T, s *Store, _ bool) {
		rows := make(map[int64]string)
		for i, sub := range []string{
			"5f0c2b1e-0000-4000-8000-00000000000a", "5F0C2B1E-0000-4000-8000-00000000000A", "5f0c2b1e-0000-4000-8000-00000000000A", "é", "e\u0301", "e", "E", "É", "ß", "ss", "ı", "i", "I", "İ", "ſ", "s", "\u212a", "k", "K",
			"a", "ａ", "a%", "a_", `a\`, "a'", `a"`, "æ", "ae", strings.Repeat("s", 255), strings.Repeat("S", 255), "日本", "日夲",
		} {
			p := person(1000+i, 0, "g")
			p.Subject = sub
			c := apply(t, s, p)
			if other, taken := rows[c.User.ID]; taken || !c.Created {
				t.Fatalf("%q has row %d of %q, created %v", sub, c.User.ID, other, c.Created)
			}
			rows[c.User.ID] = sub
			// Whoever has the subject is that person: renamed, with another address, other groups.
			p.Username, p.Name, p.Email, p.At = fmt.Sprintf("renamed-%d", i), "Renamed", fmt.Sprintf("renamed-%d@example.com", i), p.At.Add(time.Minute)
			p.Groups = []replica.GroupRef{{Name: "h"}}
			again := apply(t, s, p)
			u, err := s.UserBySubject(t.Context(), testIssuer, sub)
			if again.Created || again.User.ID != c.User.ID || err != nil || u.ID != c.User.ID || u.Subject != sub || u.Username != p.Username || !u.InGroup("h") || u.InGroup("g") {
				t.Errorf("%q again: row %d, created %v; read %+v, %v", sub, again.User.ID, again.Created, u, err)
			}
			// Deleted in the pool, and there again (a restored pool has everybody's subject):
			// the same row, with nothing but what the pool says now.
			gone, err := s.Sweep(t.Context(), testIssuer, "pass", replica.SweepOptions{Began: p.At.Add(time.Second), MaxShare: 1})
			if err != nil || len(gone.Changes) == 0 {
				t.Fatalf("%q: swept %+v, %v", sub, gone, err)
			}
			p.Groups, p.At = []replica.GroupRef{{Name: "k"}}, p.At.Add(time.Minute)
			if back := apply(t, s, p); back.User.ID != c.User.ID || !back.User.Deleted.IsZero() || back.User.InGroup("h") || !back.User.InGroup("k") {
				t.Errorf("%q is back: %+v", sub, back.User)
			}
		}
	})
}

// TestS659_WhoseAccountItIs: with two accounts of one address, or an account that is linked
// to another subject, nobody is guessed; the refusal names the rows, and writes nothing.
func TestS659_WhoseAccountItIs(t *testing.T) {
	linked := func(number int, email string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			s.createAccount(t, fmt.Sprintf("account-%d", number), email)
			p := person(number, 0)
			p.Email = email
			apply(t, s, p)
		}
	}
	two := func(one, other string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			s.createAccount(t, "one", one)
			s.createAccount(t, "other", other)
		}
	}
	for _, tt := range []struct {
		name, email string
		prepare     func(*testing.T, *Store)
		says        string // empty: let in
	}{
		{"two of one address", "carol@example.com", two("carol@example.com", "carol@example.com"), "leave it to one of them"},
		{"in other cases", "carol@example.com", two("Carol@example.com", "CAROL@EXAMPLE.COM"), "leave it to one of them"},
		{"one of them is exact", "carol@example.com", two("carol@example.com", "CAROL@example.com"), "leave it to one of them"},
		{"a tag", "carol+x@example.com", two("carol+x@example.com", "Carol+X@example.com"), "leave it to one of them"},
		{"a quote", "o'neill@example.com", two("o'neill@example.com", "O'Neill@example.com"), "leave it to one of them"},
		{"three", "carol@example.com", func(t *testing.T, s *Store) {
			two("carol@example.com", "Carol@example.com")(t, s)
			s.createAccount(t, "third", "cArol@example.com")
		}, "leave it to one of them"},
		{"one is switched off", "carol@example.com", func(t *testing.T, s *Store) {
			two("carol@example.com", "Carol@example.com")(t, s)
			s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(false).sql(" WHERE username = 'other'"))
		}, "leave it to one of them"},
		{"a pattern is no match", "c_rol@example.com", two("carol@example.com", "cXrol@example.com"), ""},
		{"a part is no match", "carol@example.com", two("xcarol@example.com", "carol@example.com.example"), ""},
		{"an accent is no match", "zoe@example.com", two("zoë@example.com", "zoé@example.com"), ""},
		{"linked to another subject", "carol@example.com", linked(2, "carol@example.com"), `is linked to subject "subject-2"`},
		{"linked, in another case", "CAROL@example.com", linked(3, "carol@example.com"), `is linked to subject "subject-3"`},
		{"linked, and free ones beside", "carol@example.com", func(t *testing.T, s *Store) {
			linked(4, "carol@example.com")(t, s)
			s.createAccount(t, "free", "Carol@Example.com")
		}, "leave it to one of them"},
		{"an account's username is the address", "carol@example.com", func(t *testing.T, s *Store) { s.createAccount(t, "carol@example.com", "else@example.com") }, "rename that user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachDjango(t, func(t *testing.T, s *Store) {
				tt.prepare(t, s)
				accounts := func() (n int) {
					t.Helper()
					if err := s.engine.sql("SELECT count(*) FROM auth_user").scan(t.Context(), s.db, &n); err != nil {
						t.Fatal(err)
					}
					return n
				}
				before, p := accounts(), person(1, 60, "g")
				p.Email, p.SignIn = tt.email, true
				c, err := s.Apply(t.Context(), p)
				if tt.says == "" {
					if err != nil || !c.Created || accounts() != before+1 {
						t.Errorf("Apply = %+v, %v, want an account of their own", c.User, err)
					}
					return
				}
				if !errors.Is(err, replica.ErrConflict) || errors.Is(err, replica.ErrUnavailable) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "user ") && !strings.Contains(err.Error(), "users ") {
					t.Errorf("Apply = %v, want ErrConflict that names rows and says %q", err, tt.says)
				}
				if _, err := s.UserBySubject(t.Context(), testIssuer, p.Subject); !errors.Is(err, replica.ErrNotFound) || accounts() != before {
					t.Errorf("UserBySubject = %v, %d accounts of %d", err, accounts(), before)
				}
			})
		})
	}
}
