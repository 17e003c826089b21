package sqlreplica

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// DefineGroups puts on record what the groups of an issuer are at a time, all of them:
// one that is not among them is gone. It does nothing in a store that keeps no [History],
// and nothing where something later is known. One caller at a time may
// speak of an issuer.
func (s *Store) DefineGroups(ctx context.Context, issuer string, groups []replica.GroupDefinition, at time.Time) error {
	if s.history == nil {
		return nil
	}
	at = storedTime(at)
	err := s.again(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, s.engine.change)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after Commit it does nothing
		var later int
		err = s.engine.sql("SELECT count(*) FROM codegrant_group_history WHERE issuer = ").bind(issuer).sql(" AND (since > ").bind(at).
			sql(" OR until > ").bind(at).sql(")").scan(ctx, tx, &later)
		if err != nil || later > 0 {
			return err
		}
		known := make(map[string]definition)
		if err := s.eachDefinition(ctx, tx, s.engine.sql("WHERE issuer = ").bind(issuer).sql(" AND until IS NULL"), func(d definition) {
			known[d.Name] = d
		}); err != nil {
			return err
		}
		var ended []int64
		var begun [][]any
		stated := make(map[string]bool, len(groups))
		for _, g := range groups {
			stated[g.Name] = true
			if replica.CheckGroupName(g.Name) != nil {
				continue // no other table has it
			}
			was, ok := known[g.Name]
			if ok && was.GroupDefinition.Equal(g) {
				continue
			}
			if ok {
				ended = append(ended, was.id)
			}
			begun = append(begun, []any{issuer, g.Name, g.Precedence, g.Description, g.RoleARN, at})
		}
		for name, d := range known {
			if !stated[name] {
				ended = append(ended, d.id)
			}
		}
		for some := range slices.Chunk(ended, replica.MaxPage) {
			if err := in(s.engine.sql("UPDATE codegrant_group_history SET until = ").bind(at).sql(" WHERE "), "id", kindID, some).exec(ctx, tx); err != nil {
				return err
			}
		}
		for some := range slices.Chunk(begun, replica.MaxPage) {
			insert := s.engine.sql("INSERT INTO codegrant_group_history (issuer, name, precedence, description, role_arn, since) VALUES ").tuples(some)
			if err := insert.exec(ctx, tx); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	if err != nil {
		return s.fail(ctx, "put on record what groups are", err)
	}
	return nil
}

// GroupsAsOf returns what the groups of an issuer were at a time, by name: those of the
// last pass over the pool before it. A pass finds what groups are when it reads them, and
// not when they became so.
func (s *Store) GroupsAsOf(ctx context.Context, issuer string, at time.Time) ([]replica.GroupDefinition, error) {
	at = storedTime(at)
	var all []replica.GroupDefinition
	err := s.again(ctx, func() error {
		all = nil
		return s.eachDefinition(ctx, s.db, s.engine.sql("WHERE issuer = ").bind(issuer).sql(" AND since <= ").bind(at).
			sql(" AND (until IS NULL OR until > ").bind(at).sql(")"), func(d definition) { all = append(all, d.GroupDefinition) })
	})
	if err != nil {
		return nil, s.fail(ctx, "look at the history of groups", err)
	}
	slices.SortFunc(all, func(a, b replica.GroupDefinition) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// definition is a row of codegrant_group_history.
type definition struct {
	replica.GroupDefinition
	id int64
}

func (s *Store) eachDefinition(ctx context.Context, q querier, where *statement, f func(definition)) error {
	all := s.engine.sql("SELECT id, name, precedence, description, role_arn FROM codegrant_group_history " + where.text.String())
	all.args = where.args
	return each(ctx, q, all, "definitions of groups", func(rows *sql.Rows) error {
		var d definition
		var precedence sql.NullInt64
		if err := rows.Scan(&d.id, &d.Name, &precedence, &d.Description, &d.RoleARN); err != nil {
			return err
		}
		if precedence.Valid {
			n := int(precedence.Int64)
			d.Precedence = &n
		}
		f(d)
		return nil
	})
}
