package backup

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Config says which database it is about. DB and Dialect are required.
type Config struct {
	DB      *sql.DB
	Dialect Dialect

	Now func() time.Time // defaults to time.Now
}

func (c Config) check() error {
	if c.DB == nil || c.Dialect < SQLite || c.Dialect > MySQL {
		return errors.New("configure a backup: DB and Dialect are required")
	}
	return nil
}

func (c Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Write writes one moment of the database to a file, encrypted to each of the
// recipients. Others can write to the database meanwhile. If it fails, what is written is
// no backup, and [Verify] says so.
func Write(ctx context.Context, c Config, to io.Writer, recipients ...age.Recipient) (*Summary, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w, finish, err := sealed(to, recipients)
	if err != nil {
		return nil, err
	}
	s, err := c.encode(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if err := finish(); err != nil {
		return nil, fmt.Errorf("back up: write the file: %w", err)
	}
	return s, nil
}

func (c Config) encode(ctx context.Context, w io.Writer) (*Summary, error) {
	e := newEncoder(w)
	s := &Summary{Made: c.now().UTC().Truncate(time.Second), From: c.Dialect.String(), Rows: make(map[string]int64)}
	if err := e.write(head{form, s.Made, s.From}); err != nil {
		return nil, err
	}
	err := engine{c.Dialect}.snapshot(ctx, c.DB, func(q querier) error {
		for _, part := range sections {
			there, err := sqldialect.HasTable(ctx, q, c.Dialect, part.table)
			if err != nil {
				return err
			}
			if !there {
				continue // no organizations, say
			}
			if s.Rows[part.name], err = c.section(ctx, q, e, part); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.SHA256 = fmt.Sprintf("%x", e.digest.Sum(nil))
	return s, e.write(foot{s.SHA256})
}

func (c Config) section(ctx context.Context, q querier, e *encoder, s section) (n int64, err error) {
	b := begin{Section: s.name}
	var selected []string
	for _, col := range s.columns {
		b.Columns, selected = append(b.Columns, col.name), append(selected, engine{c.Dialect}.read(col))
	}
	if s.numbers {
		if b.Last, err = (engine{c.Dialect}).given(ctx, q, s.table); err != nil {
			return 0, err
		}
	}
	if err := e.write(b); err != nil {
		return 0, err
	}
	query := "SELECT " + strings.Join(selected, ", ") + " FROM " + s.table
	if s.where != "" {
		query += " WHERE " + s.where
	}
	if s.order == "" {
		s.order = strings.Join(b.Columns[:s.key], ", ")
	}
	rows, err := q.QueryContext(ctx, query+" ORDER BY "+s.order)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	cells, into, values := make([]cell, len(s.columns)), make([]any, len(s.columns)), make([]any, len(s.columns))
	for i, col := range s.columns {
		cells[i].kind, into[i] = col.kind, &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		for i := range cells {
			values[i] = cells[i].value
			if content, ok := values[i].(string); ok && cells[i].kind == object {
				values[i] = json.RawMessage(content)
			}
		}
		if err := e.write(values); err != nil {
			return 0, err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return n, e.write(end{&n})
}
