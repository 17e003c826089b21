package directory

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Export is a [Source] over an export file of a pool. It is completely in memory. Make one
// with [ReadJSON] or [ReadCSV].
type Export struct {
	asOf    time.Time
	users   []User
	place   map[string]int // of users, by subject
	groups  []Group
	named   map[string]int      // of groups, by name
	members map[string][]string // subjects by group
	grouped bool                // the file says something about groups
}

var _ Source = (*Export)(nil)

// AsOf returns when the file was exported. A pass over it uses this time.
func (e *Export) AsOf() time.Time { return e.asOf }

// exportPage is how many users or groups a page of an export has.
const exportPage = 500

// Users implements [Source].
func (e *Export) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	page := UserPage{AsOf: e.asOf}
	from, err := place(q.After, len(e.users))
	if err != nil {
		return page, err
	}
	for i := from; i < len(e.users); i++ {
		if len(page.Users) == exportPage {
			page.Next = strconv.Itoa(i)
			break
		}
		if strings.HasPrefix(e.users[i].Subject(), q.Prefix) {
			page.Users = append(page.Users, e.users[i])
		}
	}
	return page, ctx.Err()
}

// Groups implements [Source].
func (e *Export) Groups(ctx context.Context, after string) (GroupPage, error) {
	if !e.grouped {
		return GroupPage{}, ErrNoGroups
	}
	from, err := place(after, len(e.groups))
	if err != nil {
		return GroupPage{}, err
	}
	page := GroupPage{Groups: e.groups[from:min(from+exportPage, len(e.groups))], AsOf: e.asOf}
	if next := from + exportPage; next < len(e.groups) {
		page.Next = strconv.Itoa(next)
	}
	return page, ctx.Err()
}

// Members implements [Source].
func (e *Export) Members(ctx context.Context, group, after string) (MemberPage, error) {
	if _, ok := e.named[group]; !ok {
		return MemberPage{}, fmt.Errorf("members of group %.64q: %w", group, ErrNotFound)
	}
	all := e.members[group]
	from, err := place(after, len(all))
	if err != nil {
		return MemberPage{}, err
	}
	page := MemberPage{Subjects: all[from:min(from+exportPage, len(all))], AsOf: e.asOf}
	if next := from + exportPage; next < len(all) {
		page.Next = strconv.Itoa(next)
	}
	return page, ctx.Err()
}

// User implements [Source].
func (e *Export) User(ctx context.Context, subject string) (User, error) {
	i, ok := e.place[subject]
	if !ok {
		return User{}, fmt.Errorf("look up a user: %w", ErrNotFound)
	}
	return e.users[i], ctx.Err()
}

func place(after string, n int) (int, error) {
	if after == "" {
		return 0, nil
	}
	i, err := strconv.Atoi(after)
	if err != nil || i < 0 || i > n {
		return 0, fmt.Errorf("%w: the export has no place %.20q", ErrStaleCursor, after)
	}
	return i, nil
}

func (e *Export) add(u User, groups []string) error {
	subject := u.Subject()
	if subject == "" || u.Username == "" {
		return errors.New("a user has no sub, or no username")
	}
	if _, ok := e.place[subject]; ok {
		return fmt.Errorf("there are two users with sub %.64q", subject)
	}
	u.AsOf = e.asOf
	e.place[subject] = len(e.users)
	e.users = append(e.users, u)
	for _, g := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		e.members[g] = append(e.members[g], subject)
		e.group(g)
	}
	return nil
}

// group returns the group of that name, which is new if need be.
func (e *Export) group(name string) *Group {
	i, ok := e.named[name]
	if !ok {
		i = len(e.groups)
		e.named[name] = i
		e.groups = append(e.groups, Group{Name: name})
	}
	return &e.groups[i]
}

func newExport(asOf time.Time) *Export {
	return &Export{asOf: asOf, place: make(map[string]int), named: make(map[string]int), members: make(map[string][]string)}
}

// jsonUser is a user as AWS's command line prints them, with the names of their
// groups beside.
type jsonUser struct {
	Username   string
	Attributes []struct{ Name, Value string }
	Enabled    *bool
	UserStatus string
	Groups     *[]string
}

// jsonGroup is a group as AWS's command line prints it.
type jsonGroup struct {
	GroupName  string
	Precedence *int
}

// ReadJSON reads an export that is JSON: any number of objects, as "aws cognito-idp
// list-users" and "list-groups" print them, one page or all of it, or of users
// alone, one after the other:
//
//	{"Groups": [{"GroupName": "admins", "Precedence": 1}]}
//	{"Users": [{"Username": "alice", "Enabled": true, "UserStatus": "CONFIRMED",
//	  "Attributes": [{"Name": "sub", "Value": "…"}], "Groups": ["admins"]}]}
//
// You must add the member Groups of users to the output of AWS. If there is no Groups at
// all, the export has no data about groups. Other members of an object are
// skipped.
func ReadJSON(r io.Reader, asOf time.Time) (*Export, error) {
	e := newExport(asOf)
	d := json.NewDecoder(r)
	for n := 1; ; n++ {
		var object struct {
			jsonUser
			Users  []jsonUser
			Groups json.RawMessage // of the pool, or names of the groups of one user
		}
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			if len(e.users) == 0 && len(e.groups) == 0 {
				return nil, errors.New("read export: there is nothing in it")
			}
			return e, nil
		}
		if err == nil && object.Username != "" {
			if object.Groups != nil {
				err = json.Unmarshal(object.Groups, &object.jsonUser.Groups)
			}
			object.Users = append(object.Users, object.jsonUser)
		} else if err == nil && object.Groups != nil {
			err = e.addGroups(object.Groups)
		} else if err == nil && object.Users == nil {
			err = errors.New("it has neither Users nor Groups, and is not a user")
		}
		for i := 0; err == nil && i < len(object.Users); i++ {
			err = e.addJSON(object.Users[i])
		}
		if err != nil {
			return nil, fmt.Errorf("read export: object %d: %w", n, err)
		}
	}
}

func (e *Export) addGroups(raw json.RawMessage) error {
	var groups []jsonGroup
	if err := json.Unmarshal(raw, &groups); err != nil {
		return err
	}
	e.grouped = true
	for _, g := range groups {
		if g.GroupName == "" {
			return errors.New("a group has no GroupName")
		}
		e.group(g.GroupName).Precedence = g.Precedence
	}
	return nil
}

func (e *Export) addJSON(j jsonUser) error {
	if j.Enabled == nil {
		return fmt.Errorf("user %.64q does not say whether it is Enabled", j.Username)
	}
	u := User{Username: j.Username, Enabled: *j.Enabled, Status: j.UserStatus, Attributes: make(map[string]string)}
	for _, a := range j.Attributes {
		u.Attributes[a.Name] = a.Value
	}
	var groups []string
	if j.Groups != nil {
		e.grouped, groups = true, *j.Groups
	}
	return e.add(u, groups)
}

// ReadCSV reads an export that is CSV. The first line names the columns: sub,
// username (or cognito:username) and enabled (true or false) are required; status
// (or cognito:user_status) and groups, names with spaces between them, need not be
// there. Any other column is an attribute of that name, such as email_verified or
// custom:department, which those have who have something in it. Without a column
// groups the export does not know of groups.
func ReadCSV(r io.Reader, asOf time.Time) (*Export, error) {
	e := newExport(asOf)
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read export: %w", err)
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // spreadsheets begin with it
	for i, name := range header {
		switch name {
		case "cognito:username":
			header[i] = "username"
		case "cognito:user_status":
			header[i] = "status"
		}
	}
	for i, name := range header {
		if name == "" || slices.Index(header, name) != i {
			return nil, fmt.Errorf("read export: column %d, %.64q, has no name or that of another", i+1, name)
		}
	}
	for _, name := range []string{"sub", "username", "enabled"} {
		if !slices.Contains(header, name) {
			return nil, fmt.Errorf("read export: there is no column %s", name)
		}
	}
	e.grouped = slices.Contains(header, "groups")
	rows.ReuseRecord = true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			if len(e.users) == 0 {
				return nil, errors.New("read export: there is nobody in it")
			}
			return e, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read export: %w", err)
		}
		if err := e.addRow(header, row); err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("read export: line %d: %w", line, err)
		}
	}
}

func (e *Export) addRow(header, row []string) error {
	u := User{Attributes: make(map[string]string)}
	var groups []string
	for i, name := range header {
		switch value := row[i]; name {
		case "username":
			u.Username = value
		case "status":
			u.Status = value
		case "groups":
			groups = strings.Fields(value)
		case "enabled":
			switch strings.ToLower(value) {
			case "true":
				u.Enabled = true
			case "false":
			default:
				return fmt.Errorf("enabled is %.20q, and neither true nor false", value)
			}
		default:
			if value != "" {
				u.Attributes[name] = value
			}
		}
	}
	return e.add(u, groups)
}
