package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

// ends tells every process of grants that ended before their time, so that what lasts ends
// with them. A record is there for as long as a process may take to read it.
var ends = cupboard.Kind{Name: "broker-end", MaxRecords: 1_000_000, MaxOfPerson: 1, MaxBytes: 32, Watched: true}

const (
	endsRead = 500 * time.Millisecond // between two reads
	endsKept = time.Minute
	endsPage = 1000
	maxEnds  = 8 << 10 // that a process remembers: twice as many
)

// whose an end is: one grant's, or all that a person or a client had until then.
type whose bool

const (
	oneGrant   whose = false
	manyGrants whose = true
)

func personKey(subject string) string { return cupboard.Key("person", subject) }

// tellEnds tells of an end. Where that fails, what lasts asks by itself a
// moment later.
func tellEnds(ctx context.Context, store cupboard.Store, of whose, key string, now time.Time, log *slog.Logger) {
	ctx = context.WithoutCancel(ctx)
	r := cupboard.Record{Key: key, Until: now.Add(endsKept)}
	if of == manyGrants {
		r.Value = strconv.AppendInt(nil, now.Unix(), 10)
	}
	err := store.Put(ctx, ends, r)
	if errors.Is(err, cupboard.ErrExists) { // of a person or a client that ended a moment ago, too
		if _, err = store.Take(ctx, ends, key); err == nil || errors.Is(err, cupboard.ErrNotFound) {
			err = store.Put(ctx, ends, r)
		}
	}
	if err != nil && !errors.Is(err, cupboard.ErrExists) && log != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "other processes do not know that a grant ended; its streams end there a few seconds later", slog.String("reason", err.Error()))
	}
}

// lasting are those who wait for an end, and the ends of a moment ago: a request that was let
// in just before an end waits for it a moment later. Memory is bounded: the older ends go
// first.
type lasting struct {
	mu         sync.Mutex
	waiting    map[string][]*waiter // by the key of the grant
	runs       bool
	young, old map[string]int64 // when many ended, in seconds since 1970, by the key of the end
	since      time.Time        // when young began
}

type waiter struct {
	grant  string    // key
	many   [3]string // keys of the ends of many that are of this one
	issued int64     // the token, in seconds since 1970
	once   sync.Once
	end    func()
}

// isOf reports whether an end of many is of this one: what was agreed to since goes on.
func (w *waiter) isOf(key string, at int64) bool {
	return w.issued <= at && slices.Contains(w.many[:], key)
}

// remember keeps an end that was read, for a minute at least where there are not too many.
// The caller holds l.mu.
func (l *lasting) remember(key string, at int64, now time.Time) {
	if l.young == nil || len(l.young) >= maxEnds || now.Sub(l.since) > endsKept {
		l.young, l.old, l.since = make(map[string]int64), l.young, now
	}
	l.young[key] = max(l.young[key], at)
}

// isOver reports whether the end of one who begins to wait was read before. The caller holds
// l.mu.
func (l *lasting) isOver(w *waiter) bool {
	for _, read := range [...]map[string]int64{l.young, l.old} {
		if _, ok := read[w.grant]; ok {
			return true
		}
		for _, key := range w.many {
			if at, ok := read[key]; ok && w.issued <= at {
				return true
			}
		}
	}
	return false
}

// OnEnd has end called when what a token of this server was given for ends before its time,
// within a second, whichever process ends it: because the person, the client or an operator
// has taken it back, because a code or a refresh token came twice, or because the client is
// gone. It is called for what ended a moment before, too, but not for a session that is over.
// Call stop when the work is done.
//
// It is what package mcp takes for streams.
func (b *Broker) OnEnd(token string, end func()) (stop func()) {
	c, err := b.open(token)
	if err != nil {
		return func() {}
	}
	l, w := &b.lasting, &waiter{
		grant: grantKey(c.Grant), many: [3]string{personKey(c.Subject), cupboard.Key("client", c.ClientID), goneKey(c.ClientID)},
		issued: c.IssuedAt, end: end,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isOver(w) {
		go end() // as any other end: the caller may hold what end waits for
		return func() {}
	}
	if l.waiting == nil {
		l.waiting = make(map[string][]*waiter)
	}
	l.waiting[w.grant] = append(l.waiting[w.grant], w)
	if !l.runs {
		l.runs = true
		go b.readEnds()
	}
	return func() { l.forget(w.grant, w) }
}

func (l *lasting) forget(key string, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := slices.DeleteFunc(l.waiting[key], func(o *waiter) bool { return o == w }); len(left) > 0 {
		l.waiting[key] = left
	} else {
		delete(l.waiting, key)
	}
}

// ended calls whoever waits for an end.
func (l *lasting) ended(r cupboard.Record) {
	l.mu.Lock()
	all := slices.Clone(l.waiting[r.Key])
	at, err := strconv.ParseInt(string(r.Value), 10, 64)
	l.remember(r.Key, at, time.Now())
	if err == nil {
		for _, some := range l.waiting {
			for _, w := range some {
				if w.isOf(r.Key, at) {
					all = append(all, w)
				}
			}
		}
	}
	l.mu.Unlock()
	for _, w := range all {
		w.once.Do(w.end)
	}
}

// readEnds reads what has ended, for as long as somebody waits. It begins with what ended a
// moment ago: whoever waits may have asked before that.
func (b *Broker) readEnds() {
	ticker := time.NewTicker(endsRead)
	defer ticker.Stop()
	var after int64
	fails := false
	for {
		n, err := b.readNewEnds(&after)
		switch {
		case err != nil && !fails:
			b.Logger.Error("ended grants cannot be read; their streams end a few seconds later", slog.String("reason", err.Error()))
		case err == nil && fails:
			b.Logger.Info("ended grants are read again")
		}
		fails = err != nil
		if n == endsPage {
			continue
		}
		<-ticker.C
		l := &b.lasting
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.runs = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

func (b *Broker) readNewEnds(after *int64) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	changes, err := b.Cupboard.Watch(ctx, ends, *after, endsPage)
	for _, c := range changes {
		*after = c.Number
		b.lasting.ended(c.Record)
	}
	return len(changes), err
}
