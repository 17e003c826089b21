//go:build unix

package serve

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// TestS312_AStopWaitsForWhatThePoolRotates stops a process whose last request is over,
// while the pool is 12 s late with tokens that it has rotated without grace: the next
// process finds them in the store.
func TestS312_AStopWaitsForWhatThePoolRotates(t *testing.T) {
	t.Parallel()
	g := newGate(t, oneUpstream+"keys_file: keys\nsessions: database\ndatabase: sqlite:app.db\n")
	g.writeFile("keys", newSealingKey())
	validity := func(d time.Duration) {
		t.Helper()
		if err := g.pool.SetTokenValidity(g.pool.ClientID, d); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.pool.SetRotation(g.pool.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	first := g.spawn(nil)
	const life = 2 * time.Second
	validity(life)
	alice := codegranttest.NewBrowser(t)
	page := alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	if page.Status != http.StatusOK {
		t.Fatalf("signing in: %d %s", page.Status, page.Body)
	}
	validity(time.Hour)
	asked := make(chan struct{})
	g.pool.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.pool.Fault(localpool.Token, nil)
		answer := httptest.NewRecorder()
		g.pool.Server.ServeHTTP(answer, r)
		close(asked)
		select {
		case <-time.After(12 * time.Second):
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	time.Sleep(life)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		select {
		case <-asked:
		case <-time.After(time.Minute):
			t.Error("the pool is not asked for new tokens")
		}
		cancel() // nobody waits for the answer any longer
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := alice.Client.Do(r); err == nil {
		response.Body.Close()
	}
	<-ctx.Done()
	if took := stopProcess(t, first); took < 5*time.Second {
		t.Errorf("it ended after %v", took)
	}
	calls := g.pool.Calls(localpool.Token)
	g.spawn(nil)
	if status, body := g.get(alice.Client, "/x"); status != http.StatusOK {
		t.Errorf("after the restart: %d %s", status, body)
	}
	if again := g.pool.Calls(localpool.Token); again != calls {
		t.Errorf("the next process asked the pool for tokens %d times: it did not find those that there were", again-calls)
	}
}
