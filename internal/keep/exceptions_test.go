package keep

import (
	"os"
	"strings"
	"testing"
)

// TestExceptionsAreDocumented holds the lists of the keepers, from which the log at the
// start is made, to the table of docs/security.md.
func TestExceptionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Exceptions without a store")
	table, _, _ = strings.Cut(table, "\n## ")
	type row struct{ sealed, shared, why string }
	rows := make(map[string]row)
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 6 && strings.HasPrefix(cells[2], " S-") {
			rows[strings.TrimSpace(cells[2])] = row{strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4]), strings.TrimSpace(cells[1])}
		}
	}
	if len(rows) == 0 {
		t.Fatal("the table is not there")
	}
	if n := len(new(Stored).Cannot()); n != 0 {
		t.Errorf("%d exceptions with a store, and the page says that there are none", n)
	}
	for name, tt := range map[string]struct {
		keeper Keeper
		says   func(row) string
	}{
		"sealed": {new(Sealed), func(r row) string { return r.sealed }},
		"shared": {new(Shared), func(r row) string { return r.shared }},
	} {
		listed := make(map[string]bool)
		for _, e := range tt.keeper.Cannot() {
			listed[e.Promise] = true
			if r := rows[e.Promise]; r.why != e.Why || tt.says(r) == "kept" || tt.says(r) == "" {
				t.Errorf("%s: %s: %s; the page has %+v", name, e.Promise, e.Why, r)
			}
		}
		for id, r := range rows {
			if !listed[id] && tt.says(r) != "kept" {
				t.Errorf("%s: the page has an exception to %s, and the list has none", name, id)
			}
		}
	}
}
