package directory

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/peopletest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestS270_PeopleAtRandomInPasses: what an export says, as JSON and as CSV, is what a pass
// over it makes of the replica, for people at random and for the largest that a pool allows.
// A tenth of CODEGRANT_PEOPLE comes here.
func TestS270_PeopleAtRandomInPasses(t *testing.T) {
	n := 60
	if given, err := strconv.Atoi(os.Getenv("CODEGRANT_PEOPLE")); err == nil && given > 0 {
		n = max(given/10, 1)
	}
	maker := peopletest.New(5)
	people := []peopletest.Person{maker.Largest()}
	for len(people) < n {
		people = append(people, maker.Next())
	}
	for name, read := range map[string]func() (*Export, error){
		"JSON": func() (*Export, error) { return ReadJSON(asJSON(t, people), taken) },
		"CSV":  func() (*Export, error) { return ReadCSV(asCSV(t, people), taken) },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := read()
			if err != nil {
				t.Fatal(err)
			}
			store := newReplica(t, sqlreplica.Config{})
			s, err := New(Config{Source: e, Issuer: "issuer", Replica: store, Journal: NewMemoryJournal()})
			if err != nil {
				t.Fatal(err)
			}
			if report, err := s.Run(t.Context(), Options{Full: true}); err != nil || report.Created != len(people) {
				t.Fatalf("report = %+v, %v", report, err)
			}
			for _, p := range people {
				want := replica.Snapshot{
					Issuer: "issuer", Subject: p.Subject, Username: p.Username, Name: p.Attributes["name"], Email: p.Attributes["email"],
					EmailVerified: p.Attributes["email_verified"] == "true", At: taken, Custom: map[string]string{},
				}
				for name, value := range p.Attributes {
					if !fields[name] {
						want.Custom[name] = value
					}
				}
				if want, err = want.Fit(); err != nil {
					t.Fatal(err)
				}
				u, err := store.UserBySubject(t.Context(), "issuer", p.Subject)
				var groups []string
				for _, m := range u.Groups {
					groups = append(groups, m.Name)
				}
				if err != nil || u.Username != want.Username || u.Name != want.Name || u.Email != want.Email || u.EmailVerified != want.EmailVerified ||
					len(u.Custom)+len(want.Custom) > 0 && !maps.Equal(u.Custom, want.Custom) || !slices.Equal(groups, slices.Sorted(slices.Values(p.Groups))) {
					t.Fatalf("the export says %+v\nthe replica %+v, %v", p, u, err)
				}
			}
		})
	}
}

func asJSON(t *testing.T, people []peopletest.Person) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	for _, p := range people {
		type attribute struct{ Name, Value string }
		attributes := []attribute{{"sub", p.Subject}}
		for name, value := range p.Attributes {
			attributes = append(attributes, attribute{name, value})
		}
		err := json.NewEncoder(&b).Encode(map[string]any{"Username": p.Username, "Enabled": true, "UserStatus": "CONFIRMED", "Attributes": attributes, "Groups": append([]string{}, p.Groups...)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

func asCSV(t *testing.T, people []peopletest.Person) *bytes.Buffer {
	t.Helper()
	columns := []string{"sub", "username", "enabled", "groups"}
	for _, p := range people {
		for name := range p.Attributes {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{columns}
	for _, p := range people {
		row := []string{p.Subject, p.Username, "true", strings.Join(p.Groups, " ")}
		for _, name := range columns[4:] {
			row = append(row, p.Attributes[name])
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return &b
}
