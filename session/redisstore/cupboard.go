package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/cupboard"
)

// Cupboard returns the cupboard in the same Redis. All of a kind is in one slot of a
// cluster: what is counted, and what is in order, needs one place.
func (s *Store) Cupboard() cupboard.Store { return shelves{s} }

type shelves struct{ *Store }

// script runs one on a shelf.
func (c shelves) script(ctx context.Context, r repeat, script string, kind cupboard.Kind, args ...string) (rueidis.RedisResult, error) {
	if err := ctx.Err(); err != nil {
		return rueidis.RedisResult{}, err
	}
	if err := kind.Check(); err != nil {
		return rueidis.RedisResult{}, err
	}
	watched := "0"
	if kind.Watched {
		watched = "1"
	}
	return c.eval(ctx, r, script, c.shelves+"{"+kind.Name+"}", append([]string{decimal(micros(c.now())), watched}, args...)...)
}

func (c shelves) fault(ctx context.Context, operation string, kind cupboard.Kind, err error) error {
	return fmt.Errorf("%w: %w", cupboard.ErrUnavailable, c.fail(ctx, operation+" "+kind.Name, err))
}

// Put implements [cupboard.Store]. It is not repeated after a lost connection, for it
// might find its own record in the way.
func (c shelves) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	if err := kind.Fits(r); err != nil {
		return fmt.Errorf("put %s: %w", kind.Name, err)
	}
	answer, err := c.script(ctx, once, shelfPut, kind, r.Key, r.Person, decimal(micros(r.Until)), rueidis.BinaryString(r.Value),
		strconv.Itoa(kind.MaxRecords), strconv.Itoa(kind.MaxOfPerson))
	var code int64
	if err == nil {
		code, err = answer.AsInt64()
	}
	switch {
	case err != nil:
		return c.fault(ctx, "put", kind, err)
	case code == 0:
		return fmt.Errorf("put %s: %w", kind.Name, cupboard.ErrExists)
	case code < 0:
		return fmt.Errorf("put %s: %w", kind.Name, cupboard.ErrFull)
	}
	return nil
}

var errRecord = errors.New("the answer of the server is not a record")

func parseRecord(key string, raw []byte) (cupboard.Record, error) {
	const head = 18
	if len(raw) < head {
		return cupboard.Record{}, errRecord
	}
	size := int(binary.BigEndian.Uint16(raw[16:]))
	if len(raw) < head+size {
		return cupboard.Record{}, errRecord
	}
	return cupboard.Record{
		Key: key, Version: int64(binary.BigEndian.Uint64(raw)), Until: moment(int64(binary.BigEndian.Uint64(raw[8:]))),
		Person: string(raw[head : head+size]), Value: raw[head+size : len(raw) : len(raw)],
	}, nil
}

func (c shelves) one(ctx context.Context, r repeat, operation, script string, kind cupboard.Kind, key string) (cupboard.Record, error) {
	answer, err := c.script(ctx, r, script, kind, key)
	var raw []byte
	if err == nil {
		if raw, err = answer.AsBytes(); errors.Is(err, rueidis.Nil) {
			return cupboard.Record{}, fmt.Errorf("%s %s: %w", operation, kind.Name, cupboard.ErrNotFound)
		}
	}
	var found cupboard.Record
	if err == nil {
		found, err = parseRecord(key, raw)
	}
	if err != nil {
		return cupboard.Record{}, c.fault(ctx, operation, kind, err)
	}
	return found, nil
}

// Get implements [cupboard.Store].
func (c shelves) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	return c.one(ctx, again, "get", shelfGet, kind, key)
}

// Take implements [cupboard.Store].
func (c shelves) Take(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	return c.one(ctx, once, "take", shelfTake, kind, key)
}

// Swap implements [cupboard.Store].
func (c shelves) Swap(ctx context.Context, kind cupboard.Kind, r cupboard.Record) (cupboard.Record, error) {
	const operation = "swap"
	if err := kind.Fits(r); err != nil {
		return cupboard.Record{}, fmt.Errorf("%s %s: %w", operation, kind.Name, err)
	}
	answer, err := c.script(ctx, once, shelfSwap, kind, r.Key, decimal(r.Version), decimal(micros(r.Until)), rueidis.BinaryString(r.Value))
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return cupboard.Record{}, c.fault(ctx, operation, kind, err)
	}
	if code, err := answer.ToInt64(); err == nil {
		if code == 0 {
			return cupboard.Record{}, fmt.Errorf("%s %s: %w", operation, kind.Name, cupboard.ErrNotFound)
		}
		return cupboard.Record{}, fmt.Errorf("%s %s: %w", operation, kind.Name, cupboard.ErrConflict)
	}
	person, err := answer.ToString()
	if err != nil || person == "" {
		return cupboard.Record{}, c.fault(ctx, operation, kind, errRecord)
	}
	r.Person, r.Version, r.Until = person[1:], r.Version+1, moment(micros(r.Until))
	return r, nil
}

// List implements [cupboard.Store].
func (c shelves) List(ctx context.Context, kind cupboard.Kind, q cupboard.Query) ([]cupboard.Record, error) {
	answer, err := c.script(ctx, again, shelfList, kind, q.Person, q.After, strconv.Itoa(atMost(q.Limit)))
	var parts []string
	if err == nil {
		parts, err = answer.AsStrSlice()
	}
	var found []cupboard.Record
	for i := 0; err == nil && i+1 < len(parts); i += 2 {
		var r cupboard.Record
		if r, err = parseRecord(parts[i], []byte(parts[i+1])); err == nil {
			found = append(found, r)
		}
	}
	if err != nil {
		return nil, c.fault(ctx, "list", kind, err)
	}
	return found, nil
}

func atMost(limit int) int {
	if limit <= 0 {
		return cupboard.DefaultLimit
	}
	return limit
}

// EndAll implements [cupboard.Store].
func (c shelves) EndAll(ctx context.Context, kind cupboard.Kind, person string) (int, error) {
	return c.number(ctx, "end all", shelfEnd, kind, person)
}

// Len implements [cupboard.Store].
func (c shelves) Len(ctx context.Context, kind cupboard.Kind) (int, error) {
	return c.number(ctx, "count", shelfLen, kind)
}

func (c shelves) number(ctx context.Context, operation, script string, kind cupboard.Kind, args ...string) (int, error) {
	answer, err := c.script(ctx, again, script, kind, args...)
	var n int64
	if err == nil {
		n, err = answer.AsInt64()
	}
	if err != nil {
		return 0, c.fault(ctx, operation, kind, err)
	}
	return int(n), nil
}

// Watch implements [cupboard.Store].
func (c shelves) Watch(ctx context.Context, kind cupboard.Kind, since int64, limit int) ([]cupboard.Change, error) {
	const operation = "watch"
	answer, err := c.script(ctx, again, shelfWatch, kind, decimal(since), strconv.Itoa(atMost(limit)))
	var parts []string
	if err == nil {
		parts, err = answer.AsStrSlice()
	}
	var found []cupboard.Change
	for i := 0; err == nil && i+3 < len(parts); i += 4 {
		change := cupboard.Change{Gone: parts[i+2] == "", Record: cupboard.Record{Key: parts[i+1], Person: parts[i+3]}}
		change.Number, err = strconv.ParseInt(parts[i], 10, 64)
		if err == nil && !change.Gone {
			change.Record, err = parseRecord(parts[i+1], []byte(parts[i+2]))
		}
		found = append(found, change)
	}
	if err != nil {
		return nil, c.fault(ctx, operation, kind, err)
	}
	return found, nil
}
