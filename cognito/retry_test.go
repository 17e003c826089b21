package cognito

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// roundTripper is a network that tests can run in a bubble of time.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func clientOver(t testing.TB, network roundTripper) *Client {
	t.Helper()
	c, err := New(Config{
		Pool:       Pool{ID: poolID, Domain: poolDomain, ClientID: "c1", ClientSecret: "the-client-secret"},
		HTTPClient: &http.Client{Transport: network},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func response(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

var (
	refusedDial = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	lookupFault = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: poolDomain}}
	resetRead   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

// hang is a pool that takes a request and never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestS031_S086_WhatMayBeSentAgain(t *testing.T) {
	fail := func(err error) roundTripper { return func(*http.Request) (*http.Response, error) { return nil, err } }
	tests := []struct {
		name                   string
		fault                  roundTripper
		sentByTokens, byRevoke int32 // how often the request goes out
		cause                  error
	}{
		{"connection refused", fail(refusedDial), 2, 3, syscall.ECONNREFUSED},
		{"name not found", fail(lookupFault), 2, 3, nil},
		{"connection refused by a proxy", fail(&net.OpError{Op: "proxyconnect", Err: refusedDial}), 1, 3, nil},
		{"connection reset", fail(resetRead), 1, 3, syscall.ECONNRESET},
		{"connection closed", fail(io.EOF), 1, 3, io.EOF},
		{"answer cut off", func(*http.Request) (*http.Response, error) {
			r := response(200, "")
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{}))
			return r, nil
		}, 1, 3, io.ErrUnexpectedEOF},
		{"no answer", hang, 1, 3, context.DeadlineExceeded},
		{"fault of the pool", func(*http.Request) (*http.Response, error) { return response(503, "{}"), nil }, 1, 3, nil},
		{"throttled", func(*http.Request) (*http.Response, error) { return response(429, "{}", "Retry-After", "2"), nil }, 1, 3, nil},
		{"throttled for too long to wait", func(*http.Request) (*http.Response, error) {
			return response(429, "{}", "Retry-After", "60"), nil
		}, 1, 1, nil},
		{"refused", func(*http.Request) (*http.Response, error) { return response(400, `{"error":"invalid_grant"}`), nil }, 1, 1, nil},
	}
	calls := []struct {
		name string
		call func(context.Context, *Client) error
		sent func(tokens, revoke int32) int32
	}{
		{"exchange", func(ctx context.Context, c *Client) error { _, err := c.Exchange(ctx, exchange); return err }, func(n, _ int32) int32 { return n }},
		{"refresh", func(ctx context.Context, c *Client) error { _, err := c.Refresh(ctx, "rt"); return err }, func(n, _ int32) int32 { return n }},
		{"revoke", func(ctx context.Context, c *Client) error { return c.Revoke(ctx, "rt") }, func(_, n int32) int32 { return n }},
	}
	for _, tt := range tests {
		for _, call := range calls {
			t.Run(tt.name+", "+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var sent atomic.Int32
					c := clientOver(t, func(r *http.Request) (*http.Response, error) { sent.Add(1); return tt.fault(r) })
					start := time.Now()
					err := call.call(t.Context(), c)
					if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrInvalid) {
						t.Errorf("error %v", err)
					}
					if tt.cause != nil && !errors.Is(err, tt.cause) {
						t.Errorf("error %v, want one caused by %v", err, tt.cause)
					}
					if got, want := sent.Load(), call.sent(tt.sentByTokens, tt.byRevoke); got != want {
						t.Errorf("sent %d times, want %d", got, want)
					}
					if took := time.Since(start); took > 32*time.Second {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRetriesSucceed(t *testing.T) {
	t.Run("refresh after a refused connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var sent int
			c := clientOver(t, func(*http.Request) (*http.Response, error) {
				if sent++; sent == 1 {
					return nil, refusedDial
				}
				return response(200, granted), nil
			})
			if _, err := c.Refresh(t.Context(), "rt"); err != nil || sent != 2 {
				t.Errorf("Refresh() = %v after %d requests", err, sent)
			}
		})
	})
	t.Run("revoke waits as long as the pool says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			c := clientOver(t, func(*http.Request) (*http.Response, error) {
				if at = append(at, time.Now()); len(at) < 3 {
					return response(503, "", "Retry-After", "4"), nil
				}
				return response(200, ""), nil
			})
			if err := c.Revoke(t.Context(), "rt"); err != nil || len(at) != 3 {
				t.Fatalf("Revoke() = %v after %d requests", err, len(at))
			}
			for i := range 2 {
				if wait := at[i+1].Sub(at[i]); wait < 4*time.Second || wait > 6*time.Second {
					t.Errorf("wait %d was %v", i, wait)
				}
			}
		})
	})
	t.Run("jitter", func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 50 {
			seen[delay(1, errors.New("x"))] = true
		}
		if len(seen) < 25 {
			t.Errorf("%d different delays of 50", len(seen))
		}
	})
}

func TestRevokeRespectsTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent int
		c := clientOver(t, func(*http.Request) (*http.Response, error) { sent++; return response(503, "", "Retry-After", "3"), nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := c.Revoke(ctx, "rt"); !errors.Is(err, ErrUnavailable) || sent != 1 || time.Since(start) > 0 {
			t.Errorf("Revoke() = %v after %d requests and %v, want to give up at once", err, sent, time.Since(start))
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := c.Revoke(ctx, "rt"); !errors.Is(err, ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("Revoke() = %v after %v, want to give up with the caller", err, time.Since(start))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(s string) func() string { return func() string { return s } }
	tests := []struct {
		name  string
		value func() string
		want  time.Duration
	}{
		{"seconds", is("7"), 7 * time.Second},
		{"date", in(90 * time.Second), 90 * time.Second},
		{"date gone by", in(-time.Hour), 0},
		{"none", is(""), 0},
		{"negative", is("-5"), 0},
		{"nonsense", is("soon"), 0},
		{"ages", is("999999999"), time.Hour},
		{"beyond numbers", is("99999999999999999999"), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clientOver(t, func(*http.Request) (*http.Response, error) {
					return response(429, "", "Retry-After", tt.value()), nil
				})
				_, err := c.Refresh(t.Context(), "rt")
				var unavailable *UnavailableError
				if !errors.As(err, &unavailable) || unavailable.RetryAfter != tt.want {
					t.Errorf("Refresh() = %v, %+v, want RetryAfter %v", err, unavailable, tt.want)
				}
			})
		})
	}
}

func TestS146_RequestsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOver(t, hang)
		start := time.Now()
		_, err := c.Refresh(t.Context(), "rt")
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("Refresh() = %v after %v, want a timeout after 10s", err, time.Since(start))
		}
	})
}

// TestS146_EndlessAnswersAreNotRead counts what is taken of an answer without end.
func TestS146_EndlessAnswersAreNotRead(t *testing.T) {
	for _, status := range []int{200, 400, 500} {
		endless := &endlessReader{}
		c := clientOver(t, func(*http.Request) (*http.Response, error) {
			r := response(status, "")
			r.Body = io.NopCloser(endless)
			return r, nil
		})
		_, err := c.Refresh(t.Context(), "rt")
		if !errors.Is(err, ErrUnavailable) || endless.read > maxAnswer+1 {
			t.Errorf("status %d: Refresh() = %v after %d bytes", status, err, endless.read)
		}
	}
}

type endlessReader struct{ read int }

func (r *endlessReader) Read(p []byte) (int, error) {
	if r.read > 8*maxAnswer {
		return 0, io.EOF // enough to fail
	}
	for i := range p {
		p[i] = ' '
	}
	r.read += len(p)
	return len(p), nil
}

func TestS146_RequestsUnderWayAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var underWay, most, sent atomic.Int32
		c := clientOver(t, func(*http.Request) (*http.Response, error) {
			sent.Add(1)
			for n := underWay.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(time.Second)
			underWay.Add(-1)
			return response(200, granted), nil
		})
		var wg sync.WaitGroup
		for range 3 * maxCalls {
			wg.Go(func() {
				if _, err := c.Refresh(t.Context(), "rt"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 3*maxCalls || most.Load() != maxCalls {
			t.Errorf("%d requests, %d at once, want %d and %d", sent.Load(), most.Load(), 3*maxCalls, maxCalls)
		}
	})
}

// TestS146_AHangingPoolCostsLittle is the story of an outage: the pool hangs, the
// gate shuts, one request a second sees whether it is back, and it is.
func TestS146_AHangingPoolCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var sent atomic.Int32
		c := clientOver(t, func(r *http.Request) (*http.Response, error) {
			sent.Add(1)
			if down.Load() {
				return hang(r)
			}
			return response(200, granted), nil
		})
		refresh := func() error { _, err := c.Refresh(t.Context(), "rt"); return err }

		down.Store(true)
		for range maxTimeouts {
			if err := refresh(); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Refresh() = %v, want a timeout", err)
			}
		}
		sent.Store(0)
		var wg sync.WaitGroup
		start := time.Now()
		for range 1000 {
			wg.Go(func() {
				err := refresh()
				var unavailable *UnavailableError
				if !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 || unavailable.RetryAfter > probeInterval {
					t.Errorf("Refresh() = %v, want to be told when to try again", err)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 0 || time.Since(start) != 0 {
			t.Errorf("%d requests and %v while the gate was shut", sent.Load(), time.Since(start))
		}

		// Ten seconds of people trying: at most a request for each of them.
		for range 100 {
			wg.Go(func() { _ = refresh() })
			time.Sleep(100 * time.Millisecond)
		}
		if n := sent.Load(); n < 9 || n > 11 {
			t.Errorf("%d probes in 10 s", n)
		}

		down.Store(false)
		start = time.Now()
		for refresh() != nil {
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(start); took > 2*probeInterval {
			t.Errorf("%v until the first success", took)
		}
		for range 10 {
			if err := refresh(); err != nil {
				t.Errorf("Refresh() = %v after the outage", err)
			}
		}
		wg.Wait()
	})
}

// TestS146_OnlyTimeoutsShutTheGate: what fails at once, and callers who give up,
// must not keep others from a pool that is well.
func TestS146_OnlyTimeoutsShutTheGate(t *testing.T) {
	faults := map[string]roundTripper{
		"refused connections": func(*http.Request) (*http.Response, error) { return nil, refusedDial },
		"resets":              func(*http.Request) (*http.Response, error) { return nil, resetRead },
		"status 500":          func(*http.Request) (*http.Response, error) { return response(500, ""), nil },
		"callers who give up": hang,
		"timeouts with an answer now and then": func() roundTripper {
			n := 0
			return func(r *http.Request) (*http.Response, error) {
				if n++; n%maxTimeouts == 0 {
					return response(500, ""), nil
				}
				return hang(r)
			}
		}(),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				faulty := true
				c := clientOver(t, func(r *http.Request) (*http.Response, error) {
					if faulty {
						return fault(r)
					}
					return response(200, granted), nil
				})
				for range 4 * maxTimeouts {
					ctx, cancel := t.Context(), context.CancelFunc(func() {})
					if name == "callers who give up" {
						ctx, cancel = context.WithTimeout(ctx, time.Second)
					}
					if _, err := c.Refresh(ctx, "rt"); !errors.Is(err, ErrUnavailable) {
						t.Errorf("Refresh() = %v", err)
					}
					cancel()
				}
				faulty = false
				if _, err := c.Refresh(t.Context(), "rt"); err != nil {
					t.Errorf("Refresh() = %v, want no trace of the faults before", err)
				}
			})
		})
	}
}

func TestS078_WaitingForATurnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := clientOver(t, func(*http.Request) (*http.Response, error) { <-release; return response(200, granted), nil })
		var wg sync.WaitGroup
		for range maxCalls {
			wg.Go(func() { _, _ = c.Refresh(t.Context(), "rt") })
		}
		synctest.Wait()
		start := time.Now()
		_, err := c.Refresh(t.Context(), "rt")
		if !errors.Is(err, ErrUnavailable) || time.Since(start) != 10*time.Second {
			t.Errorf("Refresh() = %v after %v, want to give up after 10s", err, time.Since(start))
		}
		close(release)
		wg.Wait()
	})
}

func TestS148_NothingIsLeftBehind(t *testing.T) {
	// A bubble does not end while a goroutine of it lives.
	synctest.Test(t, func(t *testing.T) {
		for _, fault := range []roundTripper{hang, func(*http.Request) (*http.Response, error) { return nil, resetRead }} {
			c := clientOver(t, fault)
			_, _ = c.Refresh(t.Context(), "rt")
			_ = c.Revoke(t.Context(), "rt")
		}
	})
}

// TestOwnTransport goes through a real connection of the default client.
func TestOwnTransport(t *testing.T) {
	transport := NewTransport()
	if transport.MaxConnsPerHost != maxCalls+maxRevocations || transport.MaxResponseHeaderBytes == 0 || transport.IdleConnTimeout == 0 || transport.Proxy == nil {
		t.Errorf("NewTransport() = %+v", transport)
	}
	_, err := testClient(t, "http://"+testenv.FreeAddress(t), "").Refresh(t.Context(), "rt")
	if !errors.Is(err, ErrUnavailable) || !notSent(err) {
		t.Errorf("Refresh() = %v, want a refused connection", err)
	}
}

// A transport that panics must not cost a place among the requests to the pool.
func TestS164_ATransportThatPanics(t *testing.T) {
	c := clientOver(t, func(*http.Request) (*http.Response, error) { panic("out of order") })
	for range maxCalls {
		func() {
			defer func() { _ = recover() }()
			_, _ = c.Refresh(t.Context(), "r")
		}()
	}
	if n := len(c.gate.slots); n != 0 {
		t.Errorf("%d of %d places are lost", n, maxCalls)
	}
}

// Revocations are not urgent, and where tokens are shared in cookies anybody can
// cause them. A pool that lets them hang must not make anybody else wait.
func TestS147_RevocationsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOver(t, func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/revoke") {
				return hang(r)
			}
			return response(200, `{"access_token":"a","token_type":"Bearer","expires_in":3600}`), nil
		})
		var wg sync.WaitGroup
		for range 3 * maxCalls {
			wg.Go(func() { _ = c.Revoke(t.Context(), "r") })
		}
		for range 60 {
			synctest.Wait()
			start := time.Now()
			if _, err := c.Refresh(t.Context(), "r"); err != nil || time.Since(start) > 0 {
				t.Errorf("Refresh() = %v after %v", err, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
	})
}

// With rotation, the answer to a refresh is the only place that has the new token.
func TestS312_ARefreshIsWaitedForAsLongAsItMayBe(t *testing.T) {
	after := func(d time.Duration) roundTripper {
		return func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(d):
				return response(200, `{"id_token":"a.b.c","access_token":"a.b.c","refresh_token":"next","token_type":"Bearer","expires_in":60}`), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
	}
	for _, tt := range []struct {
		takes, within time.Duration // 0: without a deadline
		ok            bool
	}{
		{9 * time.Second, 0, true}, {11 * time.Second, 0, false}, {11 * time.Second, 25 * time.Second, true},
		{24 * time.Second, 25 * time.Second, true}, {26 * time.Second, 25 * time.Second, false}, {4 * time.Second, 3 * time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if tt.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.within)
				defer cancel()
			}
			c := clientOver(t, after(tt.takes))
			if tokens, err := c.Refresh(ctx, "old"); (err == nil) != tt.ok || tt.ok && tokens.RefreshToken != "next" || err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("an answer after %v, within %v: %v", tt.takes, tt.within, err)
			}
			// A pool that does not answer at all is still left alone after a while.
			c = clientOver(t, hang)
			for range maxTimeouts {
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				_, _ = c.Refresh(ctx, "old")
				cancel()
			}
			began := time.Now()
			if _, err := c.Refresh(ctx, "old"); !errors.Is(err, ErrUnavailable) || time.Since(began) > time.Second {
				t.Errorf("a pool that hangs: %v after %v", err, time.Since(began))
			}
		})
	}
}
