package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestServerElsewhere: with -server, the command serves the pool and the gateway, and no tools.
func TestServerElsewhere(t *testing.T) {
	tools := httptest.NewServer(newServer())
	t.Cleanup(tools.Close)
	listen, pool := testenv.FreeAddress(t), testenv.FreeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listen, pool, "http://localhost:33418/callback", tools.URL, byHand) }()
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost:"+port+"/.well-known/oauth-protected-resource/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return fmt.Sprintf("%d %s", answer.StatusCode, body)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got := ask(); strings.HasPrefix(got, "200 ") && strings.Contains(got, "/mcp/read") {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(got)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it does not end")
	}
}
