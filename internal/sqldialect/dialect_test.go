package sqldialect_test

import (
	"testing"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/webhook"
)

// TestOneDialect: a program names its engine once, through any package that has a name for it.
func TestOneDialect(t *testing.T) {
	// Each takes what another package calls the engine, or this does not compile.
	_ = sqlstore.Config{Dialect: sqlreplica.PostgreSQL}
	_ = sqlreplica.Config{Dialect: sqlstore.PostgreSQL}
	_ = backup.Config{Dialect: sqlreplica.PostgreSQL}
	_ = organization.Config{Dialect: sqlreplica.PostgreSQL}
	var _ = []sqlreplica.Dialect{directory.PostgreSQL, webhook.PostgreSQL, backup.PostgreSQL, organization.PostgreSQL}

	for want, all := range map[string][]sqldialect.Dialect{
		"SQLite":     {sqldialect.SQLite, sqlstore.SQLite, sqlreplica.SQLite, directory.SQLite, webhook.SQLite, organization.SQLite, backup.SQLite},
		"PostgreSQL": {sqldialect.PostgreSQL, sqlstore.PostgreSQL, sqlreplica.PostgreSQL, directory.PostgreSQL, webhook.PostgreSQL, organization.PostgreSQL, backup.PostgreSQL},
		"MySQL":      {sqldialect.MySQL, sqlstore.MySQL, sqlreplica.MySQL, directory.MySQL, webhook.MySQL, organization.MySQL, backup.MySQL},
		"Dialect(0)": {0},
	} {
		for i, d := range all {
			if d.String() != want {
				t.Errorf("%d of %s is %s", i, want, d)
			}
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for _, tt := range []struct {
		d                    sqldialect.Dialect
		mark, marks, numbers string
	}{
		{sqldialect.SQLite, "?", "?, ?, ?", "SELECT a FROM b WHERE c = ? AND d IN (?, ?)"},
		{sqldialect.PostgreSQL, "$4", "$4, $5, $6", "SELECT a FROM b WHERE c = $1 AND d IN ($2, $3)"},
		{sqldialect.MySQL, "?", "?, ?, ?", "SELECT a FROM b WHERE c = ? AND d IN (?, ?)"},
	} {
		if got := sqldialect.Mark(tt.d, 4); got != tt.mark {
			t.Errorf("%s: Mark(4) = %q, want %q", tt.d, got, tt.mark)
		}
		if got := sqldialect.Marks(tt.d, 4, 3); got != tt.marks {
			t.Errorf("%s: Marks(4, 3) = %q, want %q", tt.d, got, tt.marks)
		}
		if got := sqldialect.Marks(tt.d, 1, 0); got != "" {
			t.Errorf("%s: Marks(1, 0) = %q, want nothing", tt.d, got)
		}
		if got := sqldialect.Number(tt.d, "SELECT a FROM b WHERE c = ? AND d IN (?, ?)"); got != tt.numbers {
			t.Errorf("%s: Number = %q, want %q", tt.d, got, tt.numbers)
		}
	}
}
