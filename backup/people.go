package backup

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"filippo.io/age"
)

// Person is somebody in a file, with the attributes that their pool stated.
type Person struct {
	Issuer, Subject, Username string
	Attributes                map[string]string // all but the sub
	Enabled                   bool
	Status                    string
	Groups                    []string // those that the pool put them in
}

// People calls f for everybody in a file whom their pool had, in the order of their rows.
// It opens the file twice, and calls f only after it has verified the whole. Memberships
// are in memory meanwhile.
func People(open func() (io.ReadCloser, error), identities []age.Identity, f func(Person) error) error {
	read := func(v visitor) (*Summary, error) {
		file, err := open()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return opened(file, identities, func(r io.Reader) (*Summary, error) { return decode(r, v) })
	}
	groups, members := make(map[int64]string), make(map[int64][]int64)
	first, err := read(visitor{row: func(s section, values []any, _ int) error {
		row := rowOf(s, values)
		switch s.name {
		case "groups":
			groups[row.number("id")] = row.text("name")
		case "memberships":
			if row["from_pool"] == true {
				members[row.number("user_id")] = append(members[row.number("user_id")], row.number("group_id"))
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	second, err := read(visitor{row: func(s section, values []any, _ int) error {
		row := rowOf(s, values)
		if s.name != "people" || row["deleted_at"] != nil {
			return nil
		}
		p := Person{Issuer: row.text("issuer"), Subject: row.text("subject"), Username: row.text("username"), Enabled: row["enabled"] == true, Status: row.text("status")}
		if err := json.Unmarshal([]byte(row.text("custom")), &p.Attributes); err != nil {
			return fmt.Errorf("%w: attributes of a person", ErrDamaged)
		}
		if p.Attributes == nil {
			p.Attributes = make(map[string]string)
		}
		for _, name := range []string{"email", "name", "given_name", "family_name", "phone_number", "locale"} {
			if value := row.text(name); value != "" {
				p.Attributes[name] = value
			}
		}
		for _, name := range []string{"email", "phone_number"} {
			if p.Attributes[name] != "" {
				p.Attributes[name+"_verified"] = strconv.FormatBool(row[name+"_verified"] == true)
			}
		}
		for _, id := range members[row.number("id")] {
			p.Groups = append(p.Groups, groups[id])
		}
		slices.Sort(p.Groups)
		return f(p)
	}})
	if err == nil && !first.same(second) {
		err = fmt.Errorf("%w: while it was read", ErrDamaged)
	}
	return err
}

// rowValues are those of a row, by column.
type rowValues map[string]any

func rowOf(s section, values []any) rowValues {
	row := make(rowValues, len(values))
	for i, c := range s.columns {
		row[c.name] = values[i]
	}
	return row
}

func (r rowValues) text(column string) string {
	text, _ := r[column].(string)
	return text
}

func (r rowValues) number(column string) int64 {
	n, _ := r[column].(int64)
	return n
}
