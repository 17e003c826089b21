package codegrant

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A sign-in or refresh whose time is up must still give its grant back.
func TestS033_AGrantIsGivenBackWhenTimeIsUp(t *testing.T) {
	var calls atomic.Int32
	a, err := New(Config{Pool: goodPool(), HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/revoke") {
			calls.Add(1)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(""))}, nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.revokeSoon(ctx, "alice", "the-refresh-token")
	if n := calls.Load(); n != 1 {
		t.Errorf("revoked %d times", n)
	}
}
