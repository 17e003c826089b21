package backup

import "slices"

// kind is what a column holds.
type kind int

const (
	number kind = iota
	yesNo
	text
	moment
	object // JSON
)

type column struct {
	name string
	kind kind
	null bool
}

// section is a part of the file: a table, or some columns of one.
type section struct {
	name    string // in the file
	table   string
	columns []column
	key     int      // so many columns, from the first, say which row it is; 0: rows are only added
	where   string   // which rows
	order   string   // rows in the file, where it is not by the key
	natural []string // columns that are unique together beside the key, and say whose row it is
	child   []child  // rows that are replaced with one of this
	byPool  bool     // all rows of the pools of the file are replaced
	counts  bool     // a database with a row of it is not empty
	numbers bool     // the database numbers the rows: no number is given twice
	later   bool     // an empty database has the row already, and of two the one with the later since is kept
	update  bool     // the rows are there already, from a section before
}

// child is a table whose rows belong to a row of another by a column.
type child struct{ table, column string }

func of(kind kind, names ...string) (all []column) {
	for _, name := range names {
		all = append(all, column{name: name, kind: kind})
	}
	return all
}

func orNull(columns []column) []column {
	for i := range columns {
		columns[i].null = true
	}
	return columns
}

// sections are in an order in which a row refers to rows that are there.
var sections = []section{
	{
		name: "people", table: "codegrant_users", key: 1, natural: []string{"issuer", "subject"}, counts: true, numbers: true,
		child: []child{{"codegrant_memberships", "user_id"}, {"codegrant_history", "user_id"}},
		columns: slices.Concat(of(number, "id"), of(text, "issuer", "subject", "username", "email"), of(yesNo, "email_verified"),
			of(text, "name", "given_name", "family_name", "phone_number"), of(yesNo, "phone_number_verified"), of(text, "locale"), of(object, "custom"),
			of(yesNo, "enabled"), of(text, "status"), orNull(of(moment, "first_sign_in", "last_sign_in", "deleted_at")),
			of(moment, "created_at", "updated_at", "as_of"), orNull(of(moment, "groups_as_of")),
			of(text, "search_username", "search_email", "search_name", "search_family_name")),
	},
	{
		// Somebody can be linked to a row that comes later.
		name: "links", table: "codegrant_users", key: 1, where: "linked_to IS NOT NULL", update: true,
		columns: slices.Concat(of(number, "id"), orNull(slices.Concat(of(number, "linked_to"), of(moment, "linked_at"), of(text, "linked_by")))),
	},
	{
		name: "groups", table: "codegrant_groups", key: 1, natural: []string{"issuer", "name"}, counts: true, numbers: true,
		columns: slices.Concat(of(number, "id"), of(text, "issuer", "name", "origin"), orNull(of(number, "precedence")),
			of(moment, "created_at", "updated_at"), orNull(of(moment, "as_of"))),
	},
	{
		name: "memberships", table: "codegrant_memberships", key: 2, counts: true,
		columns: slices.Concat(of(number, "user_id", "group_id"), of(yesNo, "from_pool", "from_local"), orNull(of(moment, "since"))),
	},
	{
		name: "history", table: "codegrant_history", order: "id", counts: true,
		columns: slices.Concat(of(number, "user_id"), of(moment, "until"), of(object, "record")),
	},
	{
		name: "group history", table: "codegrant_group_history", order: "id", byPool: true, counts: true,
		columns: slices.Concat(of(text, "issuer", "name"), orNull(of(number, "precedence")), of(text, "description", "role_arn"), of(moment, "since"), orNull(of(moment, "until"))),
	},
	{
		name: "history start", table: "codegrant_history_start", key: 1, later: true,
		columns: slices.Concat(of(number, "id"), of(moment, "since")),
	},
	{
		name: "erasures", table: "codegrant_erasures", key: 1,
		columns: slices.Concat(of(text, "id"), of(moment, "erased_at"), of(text, "erased_by", "removed")),
	},
	{
		name: "organizations", table: "codegrant_organizations", key: 1, counts: true, child: []child{{"codegrant_organization_members", "organization_id"}},
		columns: slices.Concat(of(text, "id", "name"), of(number, "created", "updated")),
	},
	{
		name: "organization members", table: "codegrant_organization_members", key: 2, counts: true,
		columns: slices.Concat(of(text, "organization_id"), of(number, "user_id"), of(text, "role"), of(number, "since"), of(text, "added_by")),
	},
}

// spare is how far beyond the last number of the file a database goes on to number its
// rows. Numbers that were given after the backup was made are in tables of the
// application's, perhaps, and must not become somebody else's.
const spare = 1_000_000
