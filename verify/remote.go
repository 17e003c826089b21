package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fetchTimeout = 5 * time.Second
	// minFresh and maxFresh bound how long an answer is taken to hold, whatever it
	// says: one keeps a server that forbids caching from being asked for every
	// token, the other lets a withdrawn key go soon.
	minFresh   = time.Minute
	maxFresh   = time.Hour
	firstRetry = time.Second
)

// remote is a document that somebody else serves and may change. It is fetched
// when it is first needed, by one caller for all, asked for again once it is no
// longer fresh, and serves on while that fails.
type remote[T any] struct {
	url    string
	client *http.Client
	limit  int64                   // of the document, in bytes
	maxAge time.Duration           // how long it serves without being confirmed
	parse  func([]byte) (T, error) // what it returns is shared and must not change
	now    func() time.Time

	current atomic.Pointer[edition[T]]

	mu   sync.Mutex // guards all lanes, and the order of what goes into current
	lane lane       // of get
}

// lane is one budget of fetches. Who uses up one of them takes nothing from another.
type lane struct {
	interval time.Duration // between two fetches by again
	flight   *flight
	asked    time.Time // when again last began a fetch
	failures int       // since the last success
	failure  error     // the last one
	retry    time.Time // when the next fetch may begin, after failures
}

// edition is one answer of the server. It does not change.
type edition[T any] struct {
	value   T
	began   time.Time // the fetch
	etag    string
	fetched time.Time
	fresh   time.Duration
}

// flight is one fetch. err may be read once done is closed.
type flight struct {
	began time.Time
	done  chan struct{}
	err   error
}

// get returns the document. A fresh one costs a look at the clock. One that is no
// longer fresh is fetched beside the caller, who goes on with it, unless nobody
// has asked for so long that it should not be trusted unseen.
func (r *remote[T]) get(ctx context.Context) (T, error) {
	now := r.now()
	e := r.current.Load()
	if e != nil && now.Sub(e.fetched) < min(e.fresh, r.maxAge) {
		return e.value, nil
	}
	r.mu.Lock()
	failing := r.lane.failures > 0
	f, err := r.begin(ctx, &r.lane, now)
	r.mu.Unlock()
	if e != nil && now.Sub(e.fetched) < r.maxAge {
		if err == nil && !failing && now.Sub(e.fetched) >= 2*e.fresh {
			_ = f.wait(ctx) // if it fails, what we have serves
			e = r.current.Load()
		}
		return e.value, nil
	}
	if err == nil {
		err = f.wait(ctx)
	}
	if err != nil {
		var none T
		return none, err
	}
	return r.current.Load().value, nil
}

// again returns the document after asking for it anew, because something was not
// in it. On one lane it does so once per interval, or when told to, however often it
// is called; otherwise the document is the last one, and the error that of the last
// attempt. asked reports whether the server was asked after the caller arrived.
func (r *remote[T]) again(ctx context.Context, l *lane, arrived time.Time, now bool) (value T, asked bool, err error) {
	at := r.now()
	r.mu.Lock()
	f, err := l.flight, l.failure
	if f == nil && (now || l.failures > 0 || l.asked.IsZero() || at.Sub(l.asked) >= l.interval) {
		if f, err = r.begin(ctx, l, at); err == nil {
			l.asked = at
		}
	}
	r.mu.Unlock()
	if f != nil {
		err = f.wait(ctx)
	}
	if err != nil {
		return value, false, err
	}
	return r.current.Load().value, f != nil && !f.began.Before(arrived), nil
}

// begin joins the fetch that is under way or starts one, unless it is too soon
// after one that failed. The caller holds mu.
func (r *remote[T]) begin(ctx context.Context, l *lane, now time.Time) (*flight, error) {
	if l.flight != nil {
		return l.flight, nil
	}
	if now.Before(l.retry) {
		return nil, l.failure
	}
	f := &flight{began: now, done: make(chan struct{})}
	l.flight = f
	// The fetch is everybody's: it does not end with the request that began it.
	go r.run(context.WithoutCancel(ctx), l, f)
	return f, nil
}

func (r *remote[T]) run(ctx context.Context, l *lane, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	next, err := r.fetch(ctx, f.began)
	r.mu.Lock()
	if l.failure = err; err == nil {
		l.failures, l.retry = 0, time.Time{}
		// The fetches of two lanes may overtake each other.
		if e := r.current.Load(); e == nil || !e.began.After(next.began) {
			r.current.Store(next)
		}
	} else {
		l.retry = r.now().Add(min(firstRetry<<min(l.failures, 10), l.interval))
		l.failures++
	}
	l.flight = nil
	r.mu.Unlock()
	f.err = err
	close(f.done)
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// fetch asks the server. An answer that is of no use is an error.
func (r *remote[T]) fetch(ctx context.Context, began time.Time) (next *edition[T], err error) {
	defer func() {
		if p := recover(); p != nil { // of the caller's client: nobody else would catch it here
			next, err = nil, fmt.Errorf("fetch %s: %w: panic: %v", r.url, ErrUnavailable, p)
		}
	}()
	next, err = r.ask(ctx, r.current.Load())
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w: %w", r.url, ErrUnavailable, err)
	}
	next.began = began
	return next, nil
}

func (r *remote[T]) ask(ctx context.Context, old *edition[T]) (*edition[T], error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	if old != nil && old.etag != "" {
		request.Header.Set("If-None-Match", old.etag)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	next := &edition[T]{fetched: r.now(), fresh: freshness(response.Header), etag: response.Header.Get("ETag")}
	if response.StatusCode == http.StatusNotModified && old != nil {
		next.value, next.etag = old.value, old.etag
		return next, nil
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, r.limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > r.limit:
		return nil, fmt.Errorf("the answer is longer than %d bytes", r.limit)
	}
	next.value, err = r.parse(body)
	return next, err
}

// statusError is an answer with another status than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the answer has status %d", int(s)) }

// freshness is how long an answer says that it holds (RFC 9111, section 4.2), not
// counting the time that it spent in other caches, and within our own bounds.
func freshness(h http.Header) time.Duration {
	fresh := maxFresh
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			fresh = seconds(strings.Trim(value, `"`), fresh)
		}
	}
	return min(max(fresh-seconds(h.Get("Age"), 0), minFresh), maxFresh)
}

// seconds reads a delta (RFC 9111, section 1.2.2); what is none is the fallback.
func seconds(text string, fallback time.Duration) time.Duration {
	const most = 1 << 31
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fallback
	}
	return time.Duration(min(n, most)) * time.Second
}

// noRedirects returns a client that takes a redirect for what it is: an answer
// without keys. A nil client is the default one.
func noRedirects(client *http.Client) *http.Client {
	var own http.Client
	if client != nil {
		own = *client
	}
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}
