package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestASlowReceiverCostsNoMemory: what a receiver does not take is in the table. The process holds
// the few messages that are under way, however many wait.
func TestASlowReceiverCostsNoMemory(t *testing.T) {
	r := newRig(t)
	_, key := secret(t)
	s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []Secret{key}, Events: []string{Sessions, Refusals}})
	release := make(chan struct{})
	var now, most atomic.Int64
	s.targets[0].client.Transport = roundTrip(func(request *http.Request) (*http.Response, error) {
		n := now.Add(1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		defer now.Add(-1)
		select {
		case <-release:
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
		return httptest.NewRecorder().Result(), nil
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()

	post := func(from, n int) (bytes int) {
		t.Helper()
		var events []Event
		for i := range n {
			subject, text := named(from+i), strings.Repeat("x", 2000)
			events = append(events, Event{Kind: Sessions, Type: TypeSessionStarted, Subject: subject, At: time.Now(), Data: text})
			bytes += len(text)
			if from == 0 { // of many, few would wait
				events = append(events, Event{Kind: Refusals, Type: TypeRequestRefused, Subject: subject, At: time.Now(), Data: text})
			}
		}
		if _, err := r.queue.Post(t.Context(), s.Endpoints, events...); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	post(0, 100)
	for deadline := time.Now().Add(time.Minute); now.Load() < atOnce+1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are under way", now.Load())
		}
	}
	before, bytes := heap(), 0
	for i := range 100 {
		bytes += post(100*(i+1), 100)
	}
	if grown := heap() - before; grown > bytes/4 {
		t.Errorf("the heap has grown by %d bytes, and %d wait", grown, bytes)
	} else {
		t.Logf("the heap has grown by %d bytes, and %d wait", grown, bytes)
	}
	if most.Load() > atOnce+1 {
		t.Errorf("%d were under way at once", most.Load())
	}
	close(release)
	stop()
	<-done
}

// TestALookHasAnEnd: a database that hangs holds a sender up for a while, and not for good.
func TestALookHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Sender{Config: Config{Logger: slog.New(slog.DiscardHandler)}, pace: usual}
		began := time.Now()
		asked := 0
		l := &lane{next: func(ctx context.Context, _, _ string, _, _ time.Time) (*Delivery, error) {
			asked++
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		for range 3 {
			if d := s.next(t.Context(), &target{}, l); d != nil {
				t.Errorf("%+v", d)
			}
		}
		if took := time.Since(began); asked != 3 || took > 3*(lookTime+usual.lastWait) {
			t.Errorf("asked %d times in %s", asked, took)
		}
	})
}
