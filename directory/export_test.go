package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

var taken = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const exportJSON = `
{"Groups":[{"GroupName":"admins","Precedence":3,"UserPoolId":"eu-west-1_Ab"},{"GroupName":"empty"}]}
{"Users":[
  {"Username":"alice","Enabled":true,"UserStatus":"CONFIRMED","UserCreateDate":1700000000.5,"Groups":["admins","editors"],
   "Attributes":[{"Name":"sub","Value":"a-1"},{"Name":"email","Value":"alice@example.com"},{"Name":"email_verified","Value":"true"},{"Name":"custom:team","Value":"red"}]}
 ],"PaginationToken":"x"}
{"Username":"bob","Enabled":false,"UserStatus":"CONFIRMED","Groups":["editors"],"Attributes":[{"Name":"sub","Value":"b-2"}]}`

const exportCSV = "\ufeff" + `cognito:username,sub,enabled,cognito:user_status,email,email_verified,custom:team,groups
alice,a-1,true,CONFIRMED,alice@example.com,true,red,admins editors
bob,b-2,FALSE,CONFIRMED,,,,editors
`

func TestExport(t *testing.T) {
	for name, read := range map[string]func() (*Export, error){
		"JSON": func() (*Export, error) { return ReadJSON(strings.NewReader(exportJSON), taken) },
		"CSV":  func() (*Export, error) { return ReadCSV(strings.NewReader(exportCSV), taken) },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := read()
			if err != nil {
				t.Fatal(err)
			}
			users := allUsers(t, e, "")
			if len(users) != 2 || !users[0].Enabled || users[0].Username != "alice" || users[0].Attributes["custom:team"] != "red" ||
				users[1].Enabled || users[1].Status != "CONFIRMED" || len(users[1].Attributes) != 1 || !users[1].AsOf.Equal(taken) {
				t.Errorf("users = %+v", users)
			}
			if b := allUsers(t, e, "b"); len(b) != 1 || b[0].Username != "bob" {
				t.Errorf("users by prefix = %+v", b)
			}
			members, err := e.Members(t.Context(), "editors", "")
			if err != nil || fmt.Sprint(members.Subjects) != "[a-1 b-2]" {
				t.Errorf("members = %v, %v", members, err)
			}
			if _, err := e.Members(t.Context(), "ghosts", ""); !errors.Is(err, ErrNotFound) {
				t.Errorf("members of no group: %v", err)
			}
			if u, err := e.User(t.Context(), "b-2"); err != nil || u.Username != "bob" {
				t.Errorf("User = %+v, %v", u, err)
			}
			if _, err := e.User(t.Context(), "B-2"); !errors.Is(err, ErrNotFound) {
				t.Errorf("User = %v", err)
			}
			if _, err := e.Users(t.Context(), UserQuery{After: "9"}); !errors.Is(err, ErrStaleCursor) {
				t.Errorf("a place that is not there: %v", err)
			}
			groups, err := e.Groups(t.Context(), "")
			if err != nil || groups.Groups[0].Name != "admins" || name == "JSON" && (*groups.Groups[0].Precedence != 3 || len(groups.Groups) != 3) {
				t.Errorf("groups = %+v, %v", groups, err)
			}
		})
	}
}

func TestExport_Pages(t *testing.T) {
	var b strings.Builder
	b.WriteString("sub,username,enabled\n")
	for i := range 1300 {
		fmt.Fprintf(&b, "%04d,user%d,true\n", i, i)
	}
	e, err := ReadCSV(strings.NewReader(b.String()), taken)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(allUsers(t, e, "")); n != 1300 {
		t.Errorf("read %d users, want 1300", n)
	}
	if n := len(allUsers(t, e, "1")); n != 300 {
		t.Errorf("read %d users, want 300", n)
	}
	if _, err := e.Groups(t.Context(), ""); !errors.Is(err, ErrNoGroups) {
		t.Errorf("Groups = %v, want ErrNoGroups", err)
	}
}

func TestExport_Faults(t *testing.T) {
	for _, tt := range []struct{ name, csv, json, says string }{
		{"nothing", "", "", ""},
		{"a header alone", "sub,username,enabled\n", "", "nobody"},
		{"no subject", "username,enabled\na,true\n", `{"Username":"a","Enabled":true}`, "sub"},
		{"no enabled", "sub,username\n1,a\n", `{"Username":"a","Attributes":[{"Name":"sub","Value":"1"}]}`, "nabled"},
		{"neither true nor false", "sub,username,enabled\n1,a,yes\n", `{"Username":"a","Enabled":"yes"}`, ""},
		{"twice the same", "sub,username,enabled\n1,a,true\n1,b,true\n",
			`{"Username":"a","Enabled":true,"Attributes":[{"Name":"sub","Value":"1"}]}{"Username":"b","Enabled":true,"Attributes":[{"Name":"sub","Value":"1"}]}`, "two users"},
		{"cut off", "sub,username,enabled\n1,a,true\n2,b", `{"Users":[{"Username":"a","Enabled":true`, ""},
		{"a column twice", "sub,username,enabled,sub\n1,a,true,1\n", "", "column 4"},
		{"something else", "hello\n", `{"Horses":[]}`, ""},
		{"a list", "[]\n", `[]`, ""},
		{"a group without name", "", `{"Groups":[{"Precedence":1}]}`, "GroupName"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if e, err := ReadCSV(strings.NewReader(tt.csv), taken); err == nil || !strings.Contains(err.Error(), "read export: ") {
				t.Errorf("ReadCSV = %+v, %v", e, err)
			} else if tt.csv != "" && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ReadCSV = %v, want %q", err, tt.says)
			}
			if e, err := ReadJSON(strings.NewReader(tt.json), taken); err == nil {
				t.Errorf("ReadJSON = %+v", e)
			} else if tt.json != "" && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ReadJSON = %v, want %q", err, tt.says)
			}
		})
	}
}

// TestExport_Pass: a pass over an export states as of when it was taken. Who
// changed since stays as they are, and whom it does not have is removed.
func TestExport_Pass(t *testing.T) {
	store := newReplica(t, sqlreplica.Config{})
	apply := func(subject string, at time.Time) {
		if _, err := store.Apply(t.Context(), replica.Snapshot{Issuer: "issuer", Subject: subject, Username: subject, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	apply("old", taken.Add(-time.Hour))
	apply("new", taken.Add(time.Hour))
	apply("b-2", taken.Add(time.Hour))
	e, err := ReadJSON(strings.NewReader(exportJSON), taken)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Source: e, Issuer: "issuer", Replica: store, Journal: NewMemoryJournal()})
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Run(t.Context(), Options{Full: true})
	if err != nil || report.Removed != 1 || report.Created != 1 || !report.Began.Equal(taken) {
		t.Errorf("report = %+v, %v", report, err)
	}
	for subject, want := range map[string]string{"old": "false []", "new": "true []", "b-2": "true [editors]", "a-1": "true [admins editors]"} {
		u, err := store.UserBySubject(t.Context(), "issuer", subject)
		var groups []string
		for _, m := range u.Groups {
			groups = append(groups, m.Name)
		}
		if got := fmt.Sprint(u.Enabled, " ", groups); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", subject, got, err, want)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add(exportCSV)
	f.Add("sub,username,enabled,groups\n1,a,true,x y\n")
	f.Add("sub,username,enabled\n\"1\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ReadCSV(strings.NewReader(text), taken)
		whole(t, e, err)
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(exportJSON)
	f.Add(`{"Users":[]}{"Groups":[]}`)
	f.Add(`{"username":"a","enabled":true,"attributes":[{"name":"sub","value":"1"}],"groups":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ReadJSON(strings.NewReader(text), taken)
		whole(t, e, err)
	})
}

// whole checks that an export is either that or an error, and consistent.
func whole(t *testing.T, e *Export, err error) {
	if (e == nil) == (err == nil) {
		t.Fatalf("export %v, error %v", e, err)
	}
	if err != nil {
		return
	}
	for _, u := range allUsers(t, e, "") {
		if found, err := e.User(t.Context(), u.Subject()); err != nil || found.Username != u.Username {
			t.Fatalf("User(%q) = %+v, %v", u.Subject(), found, err)
		}
	}
	for _, g := range e.groups {
		page, err := e.Members(t.Context(), g.Name, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range page.Subjects {
			if _, err := e.User(t.Context(), subject); err != nil {
				t.Fatal(err)
			}
		}
	}
}
