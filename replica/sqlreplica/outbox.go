package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// DefaultChannel is the channel of PostgreSQL's NOTIFY, unless [Outbox] names
// another.
const DefaultChannel = "codegrant_changes"

// Outbox has a store write each change down in the table codegrant_outbox, in the
// transaction that makes it: a row is there if the change is, whatever fails or is
// killed. A change of nothing writes none. Programs in any language take the rows
// out of it, in Go by [Store.Outbox], in others as docs/changes.md has it; somebody
// has to, for the table grows until they do (see [Store.OutboxSize]).
//
//	id          of the row. Of the changes of one person, a later one has a larger
//	            id. Of different people, a row with a smaller id may well appear
//	            after one with a larger: remembering the last id loses changes.
//	created_at  when the change was made
//	issuer,
//	subject     of the person
//	record      a [replica.Record], as JSON
type Outbox struct {
	// Channel is the channel on which PostgreSQL notifies who listens, once the
	// transaction is committed. The payload is a JSON object of id, issuer and
	// subject of the row. Other engines have no such thing. Defaults to
	// DefaultChannel.
	Channel string

	// Silent has PostgreSQL notify nobody. Of the transactions that notify, it
	// commits one after the other, in all of its databases together.
	Silent bool
}

// check returns what is wrong with an outbox.
func (o *Outbox) check() error {
	// PostgreSQL cuts a longer identifier, and it would name another channel.
	const most = 63
	if len(o.Channel) > most {
		return fmt.Errorf("the channel has %d bytes, a name of PostgreSQL's has at most %d", len(o.Channel), most)
	}
	return nil
}

var outboxTable = []column{{"created_at", kindTime}, {"issuer", kindText}, {"subject", kindText}, {"record", kindJSON}}

// record writes down what has changed of the plans, which are written, and how it was.
func (s *Store) record(ctx context.Context, tx *sql.Tx, plans ...*plan) error {
	if err := s.remember(ctx, tx, plans...); err != nil {
		return err
	}
	if s.outbox == nil {
		return nil
	}
	var rows [][]any
	content := 0
	flush := func() error {
		defer func() { rows, content = nil, 0 }()
		return s.engine.split(outboxTable, rows, func(rows [][]any) error {
			insert := s.engine.sql("")
			if s.engine.notifies && !s.outbox.Silent {
				insert.sql("WITH written AS (").insertInto("codegrant_outbox", outboxTable, rows).
					sql(" RETURNING id, issuer, subject) SELECT ").notify(s.outbox.Channel).sql(" FROM written")
			} else {
				insert.insertInto("codegrant_outbox", outboxTable, rows)
			}
			return insert.exec(ctx, tx)
		})
	}
	for _, p := range plans {
		row, err := s.entry(p.seen())
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		rows = append(rows, row)
		if content += len(row[len(row)-1].(string)); content > maxContent {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return flush()
}

// entry is what goes into outboxTable for a change, nil where that is nothing.
func (s *Store) entry(change replica.Change) ([]any, error) {
	if s.outbox == nil || change.Empty() {
		return nil, nil
	}
	object, err := json.Marshal(replica.NewRecord(change))
	if err != nil {
		return nil, err
	}
	return []any{storedTime(s.now()), change.User.Issuer, change.User.Subject, string(object)}, nil
}

// notify adds a call that says which rows of the outbox there are now.
func (s *statement) notify(channel string) *statement {
	return s.sql("pg_notify(").bind(channel).sql("::text, json_build_object('id', id, 'issuer', issuer, 'subject', subject)::text)")
}

// OutboxSize is how much nobody has taken out of the outbox yet.
type OutboxSize struct {
	Entries int64
	Oldest  time.Time // when the oldest change was made; zero: there is none
}

// OutboxSize counts what is in the outbox. It counts row by row: ask once a minute,
// not once a request.
func (s *Store) OutboxSize(ctx context.Context) (OutboxSize, error) {
	var size OutboxSize
	err := s.again(ctx, func() error {
		return s.engine.sql("SELECT count(*), "+s.engine.readTime("min(created_at)")+" FROM codegrant_outbox").
			scan(ctx, s.db, &size.Entries, timeColumn{&size.Oldest})
	})
	if err != nil {
		return OutboxSize{}, s.fail(ctx, "look at the outbox", err)
	}
	return size, nil
}
