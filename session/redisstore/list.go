package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/session"
)

const (
	// scanCount is how many keys a server looks at for each answer.
	scanCount = 1000
	// maxFound bounds the IDs that a look at everything keeps in memory.
	maxFound = 20_000
	// slots is how many parts every cluster divides its keys into.
	slots = 16384
)

// List implements [session.Store]. For one person in one pool it looks at that
// person's sessions; every other query looks at every key of every server, as a
// console can afford to and a page that people wait for cannot.
func (s *Store) List(ctx context.Context, q session.Query) ([]session.Record, error) {
	const operation = "list sessions"
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, operation, err)
	}
	if q.Limit <= 0 {
		q.Limit = session.DefaultLimit
	}
	if len(q.Pool) > maxPool || len(q.Subject) > maxSubject {
		return nil, nil
	}
	var found []session.Record
	for more := true; more && len(found) < q.Limit; {
		var ids []string
		var err error
		if q.Pool != "" && q.Subject != "" {
			ids, more, err = s.after(ctx, q)
		} else {
			ids, more, err = s.scan(ctx, q.After)
		}
		if err != nil {
			return nil, s.fail(ctx, operation, err)
		}
		for ids := range slices.Chunk(ids, batch) {
			if found, err = s.heads(ctx, found, ids, q); err != nil {
				return nil, s.fail(ctx, operation, err)
			}
			if len(found) >= q.Limit {
				break
			}
		}
		if len(ids) > 0 {
			q.After = ids[len(ids)-1]
		}
	}
	return slices.Clip(found[:min(len(found), q.Limit)]), nil
}

// after returns the IDs of a person's sessions beyond those of the page before.
func (s *Store) after(ctx context.Context, q session.Query) (ids []string, more bool, err error) {
	ids, err = s.named(ctx, q.Pool, q.Subject)
	slices.Sort(ids)
	from, exact := slices.BinarySearch(ids, q.After)
	if exact {
		from++
	}
	return ids[from:], false, err
}

// heads appends the live ones of some sessions that a query is about.
func (s *Store) heads(ctx context.Context, found []session.Record, ids []string, q session.Query) ([]session.Record, error) {
	answers, err := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		commands := make([]rueidis.Completed, len(ids))
		for i, id := range ids {
			commands[i] = b.Getrange().Key(s.sessions + id).Start(0).End(maxHead - 1).Build()
		}
		return commands
	})
	if err != nil {
		return nil, err
	}
	now := s.now()
	for i, answer := range answers {
		value, err := answer.AsBytes()
		if said, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(said.Error(), "WRONGTYPE ") {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(value) == 0 {
			continue
		}
		h, err := decodeHead(ids[i], value)
		if errors.Is(err, session.ErrDamaged) {
			continue // it hides no other
		}
		if err != nil {
			return nil, err
		}
		r := h.record
		if now.Before(r.Expires) && q.Selects(r) {
			found = append(found, r)
		}
	}
	return found, nil
}

// scan looks at every key, and returns the first IDs beyond one, in order, and
// whether there are more.
func (s *Store) scan(ctx context.Context, beyond string) (ids []string, more bool, err error) {
	nodes, err := s.primaries(ctx)
	if err != nil {
		return nil, false, err
	}
	first := func(n int) { // leaves n among what was found
		slices.Sort(ids)
		ids = slices.Compact(ids) // a scan may come across a key twice
		if len(ids) > n {
			ids, more = ids[:n], true
		}
	}
	pattern := escapeGlob(s.sessions) + "*"
	for _, node := range nodes {
		for cursor := uint64(0); ; {
			entry, err := s.scanStep(ctx, node, cursor, pattern)
			if err != nil {
				return nil, false, err
			}
			for _, key := range entry.Elements {
				if id := strings.TrimPrefix(key, s.sessions); id > beyond {
					ids = append(ids, id)
				}
			}
			if len(ids) > 2*maxFound {
				first(maxFound)
			}
			if cursor = entry.Cursor; cursor == 0 {
				break
			}
		}
	}
	first(maxFound)
	return ids, more, nil
}

func (s *Store) scanStep(ctx context.Context, node rueidis.Client, cursor uint64, pattern string) (rueidis.ScanEntry, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	entry, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(scanCount).Build().Pin()).AsScanEntry()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return entry, err
}

// primaries returns the servers that have every key between them, or an error: a
// list that silently leaves out what is on a server that is down would tell lies.
func (s *Store) primaries(ctx context.Context) ([]rueidis.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	client, err := s.dialer.client(ctx)
	if err != nil {
		return nil, err
	}
	if client.Mode() != rueidis.ClientModeCluster {
		return []rueidis.Client{client}, nil
	}
	var primaries []rueidis.Client
	covered, faults := 0, error(nil)
	for _, node := range client.Nodes() {
		// Each node is asked for itself, since addresses may be translated on the
		// way.
		text, err := node.Do(ctx, node.B().ClusterNodes().Build().Pin()).ToString()
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		if n := ownSlots(text); n > 0 {
			covered += n
			primaries = append(primaries, node)
		}
	}
	if covered != slots {
		if ctx.Err() != nil {
			faults = context.Cause(ctx)
		}
		return nil, errors.Join(fmt.Errorf("%d of the cluster's %d slots can be looked at: see CLUSTER INFO", covered, slots), faults)
	}
	return primaries, nil
}

// ownSlots reads the answer to CLUSTER NODES for how many slots the node that gave it
// serves: none if it is a replica.
func ownSlots(nodes string) int {
	n := 0
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		flags := strings.Split(fields[2], ",")
		if !slices.Contains(flags, "myself") || !slices.Contains(flags, "master") {
			continue
		}
		for _, part := range fields[8:] {
			if strings.HasPrefix(part, "[") {
				continue // on its way here or away, and counted where it is
			}
			first, last, ranged := strings.Cut(part, "-")
			if !ranged {
				last = first
			}
			from, err := strconv.ParseUint(first, 10, 16)
			if err != nil {
				return 0
			}
			to, err := strconv.ParseUint(last, 10, 16)
			if err != nil || to < from || to >= slots {
				return 0
			}
			n += int(to-from) + 1
		}
	}
	return n
}

// escapeGlob makes a pattern that matches s alone.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}
