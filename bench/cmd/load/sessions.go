//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/bench/internal/wire"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
)

// cacheBytes is how much room redisstore takes for copies unless told otherwise, and
// so what a process may grow by.
const cacheBytes = 64 << 20

// mould makes sessions from one that was signed in: whoever signs in a million people
// through pages measures the pages.
type mould struct {
	record           session.Record
	identity, tokens []byte // what it seals, opened
	cookie           string // name
}

// newMould opens a session with the key that its browser holds. Its content is in two
// parts, the first behind its length.
func newMould(ctx context.Context, store session.Store, cookie *http.Cookie) (*mould, error) {
	handle, err := session.ParseHandle(cookie.Value)
	if err != nil {
		return nil, err
	}
	m := &mould{cookie: cookie.Name}
	if m.record, err = store.Get(ctx, handle.RecordID()); err != nil {
		return nil, err
	}
	n, used := binary.Uvarint(m.record.Sealed)
	if used <= 0 || n > uint64(len(m.record.Sealed)-used) {
		return nil, errors.New("the session is kept in another format than this program knows")
	}
	part := m.record
	part.Sealed = m.record.Sealed[used : used+int(n)]
	if m.identity, err = handle.Open(part); err != nil {
		return nil, err
	}
	part.Sealed = m.record.Sealed[used+int(n):]
	m.tokens, err = handle.Open(part)
	return m, err
}

// session makes the record of another person, and what their browser sends.
func (m *mould) session(i int) (session.Record, *http.Cookie) {
	handle, r := session.NewHandle(), m.record
	r.ID, r.Subject, r.Version = handle.RecordID(), fmt.Sprintf("aaaaaaaa-bbbb-4ccc-8ddd-%012d", i), 0
	r.Created = time.Now()
	r.LastSeen, r.Expires = r.Created, r.Created.Add(time.Hour)
	r.Sealed = nil
	identity := handle.Seal(r, m.identity)
	sealed := binary.AppendUvarint(nil, uint64(len(identity)))
	sealed = append(sealed, identity...)
	r.Sealed = append(sealed, handle.Seal(r, m.tokens)...)
	return r, &http.Cookie{Name: m.cookie, Value: handle.Encode()}
}

// sample is what was seen after a number of sessions.
type sample struct {
	sessions              int
	resident, heap, redis int64
}

func sessions(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	count := flags.Int("sessions", 100_000, "how many distinct sessions are asked for; each takes some 4 KB of Redis's memory")
	server := flags.String("redis", os.Getenv("CODEGRANT_TEST_REDIS"), "URL of a Redis that holds nothing else")
	samples := flags.Int("samples", 20, "how often memory is looked at")
	callers := flags.Int("callers", 64, "how many ask at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *server == "":
		return errors.New("there is no Redis: run this through scripts/with-servers.sh, or give -redis")
	case *samples < 5 || *count < 10**samples || *callers < 1:
		return errors.New("-samples must be at least 5, -sessions at least ten times that, and -callers above 0")
	}
	if err := allow(*callers); err != nil {
		return err
	}
	prefix := fmt.Sprintf("load%d:", time.Now().UnixNano())
	option, err := rueidis.ParseURL(*server)
	if err != nil {
		return err
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	defer client.Close()
	store, err := redisstore.New(redisstore.Config{URL: *server, Prefix: prefix, DisableCache: true, Timeout: 20 * time.Second})
	if err != nil {
		return err
	}
	defer store.Close()
	ops, err := freeAddress()
	if err != nil {
		return err
	}
	separator := "?"
	if strings.Contains(*server, "?") {
		separator = "&"
	}
	g, err := newGateway(ctx, settings{redis: *server + separator + "prefix=" + prefix, ops: ops})
	if err != nil {
		return err
	}
	defer g.close()
	browsers, err := g.signIn(ctx, 1)
	if err != nil {
		return err
	}
	m, err := newMould(ctx, store, browsers[0][0])
	if err != nil {
		return fmt.Errorf("read the session of a sign-in: %w", err)
	}

	// Copies are dropped in two halves; after as many, there is no room that was not used.
	warm := 2 * cacheBytes / len(m.record.Sealed)
	if *count < 2*warm {
		return fmt.Errorf("copies have found their size after %d sessions: -sessions must be at least %d", warm, 2*warm)
	}
	head(out, "one process, sessions in Redis, %d distinct ones with %d bytes of content, each asked for twice", *count, len(m.record.Sealed))
	fmt.Fprintf(out, "\n  %12s %14s %14s %14s %12s\n", "sessions", "resident", "heap in use", "Redis", "a second")
	var seen []sample
	begin := time.Now()
	for step := range *samples + 1 {
		from, to := *count*(step-1) / *samples, *count*step / *samples
		if step > 0 {
			if err := g.visit(ctx, m, store, *callers, from, to); err != nil {
				return err
			}
		}
		s := sample{sessions: to}
		if s.resident, err = g.resident(); err != nil {
			return err
		}
		if s.heap, err = metric(ctx, "http://"+ops+"/metrics", "go_memstats_heap_inuse_bytes "); err != nil {
			return err
		}
		info, err := client.Do(ctx, client.B().Info().Section("memory").Build()).ToString()
		if err != nil {
			return err
		}
		if s.redis, err = after(info, "\nused_memory:"); err != nil {
			return err
		}
		seen = append(seen, s)
		fmt.Fprintf(out, "  %12d %10.1f MiB %10.1f MiB %10.1f MiB %12.0f\n", s.sessions, mebi(s.resident), mebi(s.heap), mebi(s.redis), float64(to-from)/time.Since(begin).Seconds())
		begin = time.Now()
	}
	return judge(out, seen, warm)
}

// judge compares the last samples with the first ones after the copies have found
// their size.
func judge(out io.Writer, seen []sample, warm int) error {
	seen = slices.DeleteFunc(slices.Clone(seen), func(s sample) bool { return s.sessions < warm })
	fifth := max(1, len(seen)/5)
	mean := func(part []sample) (sessions, resident float64) {
		for _, s := range part {
			sessions += float64(s.sessions) / float64(len(part))
			resident += float64(s.resident) / float64(len(part))
		}
		return sessions, resident
	}
	early, small := mean(seen[:fifth])
	late, large := mean(seen[len(seen)-fifth:])
	grown := large - small
	fmt.Fprintf(out, "\n  from %.0f to %.0f sessions the process grew by %.1f MiB, %.1f bytes for each; %d MiB of copies are allowed: ",
		early, late, grown/(1<<20), grown/(late-early), cacheBytes>>20)
	if grown > cacheBytes {
		fmt.Fprintln(out, "BROKEN")
		return errors.New("memory grows with the number of sessions")
	}
	fmt.Fprintln(out, "kept")
	return nil
}

// visit makes sessions, and asks for each of them twice.
func (g *gateway) visit(ctx context.Context, m *mould, store session.Store, callers, from, to int) error {
	var next atomic.Int64
	next.Store(int64(from))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			conn, err := wire.Dial(ctx, strings.TrimPrefix(g.url, "http://"))
			if err != nil {
				cancel(err)
				return
			}
			defer conn.Close()
			for i := int(next.Add(1)) - 1; i < to && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				r, cookie := m.session(i)
				if err := store.Create(ctx, r); err != nil {
					cancel(err)
					return
				}
				request, err := wire.Get(g.url+"/auth/check", []*http.Cookie{cookie})
				if err != nil {
					cancel(err)
					return
				}
				for range 2 {
					if status, err := conn.Ask(request.Bytes); err != nil || status != http.StatusOK {
						cancel(fmt.Errorf("ask for session %d: %d, %w", i, status, err))
						return
					}
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// metric reads one of the process's own.
func metric(ctx context.Context, url, label string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), label) {
			return after(lines.Text(), label)
		}
	}
	return 0, fmt.Errorf("%s has no %s", url, label)
}

// after reads the number behind a label.
func after(text, label string) (int64, error) {
	_, rest, ok := strings.Cut(text, label)
	if !ok {
		return 0, fmt.Errorf("there is no %q", strings.TrimSpace(label))
	}
	rest, _, _ = strings.Cut(strings.TrimSpace(rest), "\r")
	rest, _, _ = strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(rest, 64)
	return int64(n), err
}
