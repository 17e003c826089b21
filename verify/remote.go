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
	url      string
	client   *http.Client
	limit    int64                   // of the document, in bytes
	maxAge   time.Duration           // how long it serves without being confirmed
	interval time.Duration           // between two fetches by again
	parse    func([]byte) (T, error) // what it returns is shared and must not change
	now      func() time.Time

	current atomic.Pointer[edition[T]]

	mu       sync.Mutex // guards the fields below
	flight   *flight
	asked    time.Time // when again last began a fetch
	failures int       // since the last success
	failure  error     // the last one
	retry    time.Time // when the next fetch may begin, after failures
}

// edition is one answer of the server. It does not change.
type edition[T any] struct {
	value   T
	etag    string
	fetched time.Time
	fresh   time.Duration
}

// flight is one fetch. err may be read once done is closed.
type flight struct {
	done chan struct{}
	err  error
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
	failing := r.failures > 0
	f, err := r.begin(ctx, now)
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

// errNotAsked: what is missing may be there by now, and it is too soon to look.
var errNotAsked = fmt.Errorf("%w: something is missing that may have been added, and the last time that was looked for is too recent", ErrUnavailable)

// again returns the document after asking for it anew, because something was not
// in it. It does so once per interval, however often it is called; otherwise the
// error is that of the last attempt, or errNotAsked where that succeeded.
func (r *remote[T]) again(ctx context.Context) (T, error) {
	var none T
	now := r.now()
	r.mu.Lock()
	f, err := r.flight, r.failure
	if f == nil && (r.failures > 0 || r.asked.IsZero() || now.Sub(r.asked) >= r.interval) {
		if f, err = r.begin(ctx, now); err == nil {
			r.asked = now
		}
	}
	r.mu.Unlock()
	switch {
	case f != nil:
		err = f.wait(ctx)
	case err == nil:
		err = errNotAsked
	}
	if err != nil {
		return none, err
	}
	return r.current.Load().value, nil
}

// begin joins the fetch that is under way or starts one, unless it is too soon
// after one that failed. The caller holds mu.
func (r *remote[T]) begin(ctx context.Context, now time.Time) (*flight, error) {
	if r.flight != nil {
		return r.flight, nil
	}
	if now.Before(r.retry) {
		return nil, r.failure
	}
	f := &flight{done: make(chan struct{})}
	r.flight = f
	// The fetch is everybody's: it does not end with the request that began it.
	go r.run(context.WithoutCancel(ctx), f)
	return f, nil
}

func (r *remote[T]) run(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err := r.fetch(ctx)
	r.mu.Lock()
	if r.failure = err; err == nil {
		r.failures, r.retry = 0, time.Time{}
	} else {
		r.retry = r.now().Add(min(firstRetry<<min(r.failures, 10), r.interval))
		r.failures++
	}
	r.flight = nil
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

// fetch asks the server. An answer that is of no use changes nothing.
func (r *remote[T]) fetch(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil { // of the caller's client: nobody else would catch it here
			err = fmt.Errorf("fetch %s: %w: panic: %v", r.url, ErrUnavailable, p)
		}
	}()
	next, err := r.ask(ctx, r.current.Load())
	if err != nil {
		return fmt.Errorf("fetch %s: %w: %w", r.url, ErrUnavailable, err)
	}
	r.current.Store(next)
	return nil
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
