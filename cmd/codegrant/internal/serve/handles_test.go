package serve

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
)

func TestHandlesLookUpOnce(t *testing.T) {
	var h handles[int, *int]
	var mu sync.Mutex
	looked := make(map[int]int)
	find := func(key int) *int {
		mu.Lock()
		defer mu.Unlock()
		looked[key]++
		return &key
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for key := range 100 {
				if got := h.of(key, find); *got != key {
					t.Errorf("of(%d) = %d", key, *got)
				}
			}
		})
	}
	all.Wait()
	for key, n := range looked {
		if n != 1 {
			t.Errorf("%d was looked up %d times, want once", key, n)
		}
	}
	h.forget()
	if h.of(7, find); looked[7] != 2 {
		t.Errorf("after forget, 7 was looked up %d times, want 2", looked[7])
	}
}

// counts are the values of a counter's series, by the value of one label.
func counts(t *testing.T, m *metrics, name, by string) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == by {
					values[l.GetValue()] += series.GetCounter().GetValue()
				}
			}
		}
	}
	return values
}

// TestCountsAfterAServerLeft: a server that comes back with another configuration is counted
// by the series that is shown, not by the one that was taken away.
func TestCountsAfterAServerLeft(t *testing.T) {
	m := newProcess(&settings.Settings{}, nil, nil, nil, nil).metrics
	servers := func() []gateway.Server { return []gateway.Server{{Route: "/", Address: "10.0.0.1:80"}} }
	answer := gateway.UpstreamAnswer{Route: "/", Server: "10.0.0.1:80", Status: 200, Duration: time.Second}
	m.outside.begin(nil, servers())
	m.outside.upstream(answer)
	m.outside.begin(nil, nil)
	const name = "codegrant_upstream_responses_total"
	if left := counts(t, m, name, "server"); len(left) != 0 {
		t.Errorf("series of a server that has left: %v, want none", left)
	}
	m.outside.begin(nil, servers())
	m.outside.upstream(answer)
	if got := counts(t, m, name, "code")["2xx"]; got != 1 {
		t.Errorf("answers of the server that has come back = %g, want 1", got)
	}
}

// TestMadeUpStatusesAreFew: an upstream that invents statuses adds one series for each
// hundred of them.
func TestMadeUpStatusesAreFew(t *testing.T) {
	m := newProcess(&settings.Settings{}, nil, nil, nil, nil).metrics
	for status := 100; status < 1000; status++ {
		m.decided(gateway.Outcome{Tenant: "shop", Route: "/", Decision: gateway.Passed, Status: status})
	}
	codes := counts(t, m, "codegrant_responses_total", "code")
	for class := 1; class <= 9; class++ {
		if code := strconv.Itoa(class) + "xx"; codes[code] < 30 {
			t.Errorf("answers of %s = %g, want those that have no name", code, codes[code])
		}
	}
	if codes["404"] != 1 {
		t.Errorf("answers of 404 = %g, want 1", codes["404"])
	}
	if n := len(*m.ofRequests.found.Load()); n > 80 {
		t.Errorf("%d combinations are remembered, want as many as there are statuses with a name, and nine", n)
	}
}
