package sqlreplica

import (
	"context"
	"strings"
	"time"
)

// A column of many rows that are written in one statement. PostgreSQL is given
// all values of a column as one array, so that its statements have the same text
// however many rows there are, and needs to know of what.
type column struct{ name, kind string }

const (
	kindID   = "bigint"
	kindText = "text"
	kindBool = "boolean"
	kindTime = "timestamptz"
	kindJSON = "jsonb"
)

// maxBound is below the number of values that every engine takes in a statement:
// SQLite the least of them, 32766.
const maxBound = 32000

// maxRows is how many rows go into one statement, however narrow.
const maxRows = 5000

func names(columns []column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// split calls f with rows in portions that fit into one statement.
func (e *engine) split(columns []column, rows [][]any, f func([][]any) error) error {
	most := maxRows
	if !e.arrays {
		most = min(most, maxBound/len(columns))
	}
	for len(rows) > 0 {
		n := min(most, len(rows))
		if err := f(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertInto adds the insertion of rows to a statement.
func (s *statement) insertInto(table string, columns []column, rows [][]any) *statement {
	s.sql("INSERT INTO " + table + " (" + strings.Join(names(columns), ", ") + ")")
	if !s.engine.arrays {
		return s.sql(" VALUES ").tuples(rows)
	}
	s.sql(" SELECT ")
	for i, c := range columns {
		if i > 0 {
			s.sql(", ")
		}
		s.sql("r." + c.name)
		if c.kind == kindJSON {
			s.sql("::jsonb")
		}
	}
	return s.sql(" FROM ").arrays(columns, rows)
}

// upsert writes rows over those that have the same key.
func (e *engine) upsert(ctx context.Context, q querier, table string, key int, columns []column, rows [][]any) error {
	return e.split(columns, rows, func(rows [][]any) error {
		return e.sql("").insertInto(table, columns, rows).overwrite(key, columns).exec(ctx, q)
	})
}

// overwrite has an insertion write over the rows that have the same key.
func (s *statement) overwrite(key int, columns []column) *statement {
	if s.engine.returning {
		s.sql(" ON CONFLICT (" + strings.Join(names(columns[:key]), ", ") + ") DO UPDATE SET ")
	} else {
		s.sql(" ON DUPLICATE KEY UPDATE ")
	}
	for i, c := range columns[key:] {
		if i > 0 {
			s.sql(", ")
		}
		if s.engine.returning {
			s.sql(c.name + " = excluded." + c.name)
		} else {
			s.sql(c.name + " = VALUES(" + c.name + ")")
		}
	}
	return s
}

// tuples adds (…), (…) with a placeholder for every value.
func (s *statement) tuples(rows [][]any) *statement {
	for i, row := range rows {
		if i > 0 {
			s.sql(", ")
		}
		s.sql("(").bind(row...).sql(")")
	}
	return s
}

// arrays adds a table r that is made of one array for each column.
func (s *statement) arrays(columns []column, rows [][]any) *statement {
	s.sql("unnest(")
	for i, c := range columns {
		if i > 0 {
			s.sql(", ")
		}
		kind := c.kind
		if kind == kindJSON {
			kind = kindText
		}
		s.bind(array(kind, i, rows)).sql("::" + kind + "[]")
	}
	return s.sql(") AS r (" + strings.Join(names(columns), ", ") + ")")
}

// array is one column of rows.
func array(kind string, i int, rows [][]any) any {
	switch kind {
	case kindID:
		return values[int64](i, rows)
	case kindBool:
		return values[bool](i, rows)
	case kindTime:
		times := make([]*time.Time, len(rows))
		for j, row := range rows {
			if t := row[i].(time.Time); !t.IsZero() {
				t = t.UTC()
				times[j] = &t
			}
		}
		return times
	}
	return values[string](i, rows)
}

func values[T any](i int, rows [][]any) []T {
	values := make([]T, len(rows))
	for j, row := range rows {
		values[j] = row[i].(T)
	}
	return values
}

// in adds a comparison of a column with any of the values.
func in[T any](s *statement, name, kind string, values []T) *statement {
	if s.engine.arrays {
		return s.sql(name + " = ANY (").bind(values).sql("::" + kind + "[])")
	}
	bound := make([]any, len(values))
	for i, v := range values {
		bound[i] = v
	}
	return s.sql(name + " IN (").bind(bound...).sql(")")
}
