package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestUpstreamFaultsHaveAReference: whoever is shown that an upstream did not answer gets a
// reference, which the log has beside the reason, and the outcome too; programs get a
// problem.
func TestUpstreamFaultsHaveAReference(t *testing.T) {
	held := make(chan struct{})
	slow := upstream(t, func(http.ResponseWriter, *http.Request) { <-held })
	t.Cleanup(func() { close(held) })
	s := newSite(t, []gateway.Route{
		{Path: "/gone", Public: true, Upstream: &gateway.Upstream{URLs: []string{gone(t)}}},
		{Path: "/slow", Public: true, Upstream: &gateway.Upstream{URLs: []string{slow}, Timeout: 10 * time.Millisecond}},
		{Path: "/ill", Public: true, Upstream: &gateway.Upstream{URLs: []string{gone(t)}, Health: "/", HealthEvery: 100 * time.Millisecond}},
	}, nil)
	eventually(t, "ill", func() bool { return strings.Contains(s.log.String(), "is unhealthy: it gets no requests") })
	for path, status := range map[string]int{"/gone": 502, "/slow": 504, "/ill": 503} {
		for _, accept := range []string{"text/html", "application/json"} {
			r, body := s.ask(http.DefaultClient, "GET", path+"?q=1", map[string]string{"Accept": accept})
			reference := s.last().Reference
			if r.StatusCode != status || len(reference) < 8 || !strings.Contains(s.log.String(), "correlation="+reference) {
				t.Fatalf("%s: %d, and the log lacks %q", path, r.StatusCode, reference)
			}
			if r.Header.Get("Cache-Control") != "no-store" || (r.Header.Get("Retry-After") != "") != (status == 503) {
				t.Errorf("%s: header %v", path, r.Header)
			}
			if accept == "text/html" {
				if !strings.Contains(body, reference) || !strings.Contains(body, `href="`+path+`?q=1"`) {
					t.Errorf("%s: the page lacks %s, or a way to try again:\n%s", path, reference, body)
				}
				continue
			}
			var p struct {
				Type, Correlation string
				Status            int
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Correlation != reference || p.Status != status || !strings.HasSuffix(p.Type, "problems.md#upstream") {
				t.Errorf("%s: %v %s", path, err, body)
			}
		}
	}
	if r, _ := s.ask(http.DefaultClient, "GET", "/nowhere", nil); r.StatusCode != 404 || s.last().Reference != "" {
		t.Errorf("nowhere: %d %+v", r.StatusCode, s.last())
	}
}

// TestUpstreamsInSight: each server that was asked is told of, once for each try, those who
// went away by themselves are not, and servers are up while they get requests.
func TestUpstreamsInSight(t *testing.T) {
	var ill atomic.Bool
	well := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && ill.Load() {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	nobody := gone(t)
	var mu sync.Mutex
	var all []gateway.UpstreamAnswer
	s := newSite(t, []gateway.Route{
		{Name: "two", Path: "/two", Public: true, Upstream: &gateway.Upstream{URLs: []string{nobody, well}}},
		{Name: "one", Path: "/one", Public: true, Upstream: &gateway.Upstream{URLs: []string{well}, Health: "/health", HealthEvery: 100 * time.Millisecond}},
	}, func(c *gateway.Config, _ *codegrant.Config) {
		c.OnUpstream = func(a gateway.UpstreamAnswer) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, a)
		}
	})
	host := func(raw string) string { u, _ := url.Parse(raw); return u.Host }
	for range 2 { // one of them begins with the server that is not there
		s.ask(http.DefaultClient, "GET", "/two", nil)
	}
	s.ask(http.DefaultClient, "POST", "/one", nil)
	mu.Lock()
	counted := make(map[string]int)
	for _, a := range all {
		counted[fmt.Sprintf("%s %s %d %t", a.Route, a.Server, a.Status, a.Err != nil)]++
	}
	mu.Unlock()
	want := map[string]int{"two " + host(well) + " 202 false": 2, "two " + host(nobody) + " 0 true": 1, "one " + host(well) + " 202 false": 1}
	if fmt.Sprint(counted) != fmt.Sprint(want) {
		t.Errorf("told of %v, want %v", counted, want)
	}
	up := func() (all string) {
		for _, one := range s.gateway.Servers() {
			all += fmt.Sprintf("%s %s %t\n", one.Route, one.Address, one.Up)
		}
		return all
	}
	if got, want := up(), fmt.Sprintf("two %s false\ntwo %s true\none %s true\n", host(nobody), host(well), host(well)); got != want && !strings.Contains(got, "two "+host(nobody)+" true") {
		t.Errorf("servers:\n%swant\n%s", got, want)
	}
	ill.Store(true)
	eventually(t, "one is unhealthy", func() bool { return strings.Contains(up(), "one "+host(well)+" false") })
	eventually(t, "the log says so", func() bool {
		return strings.Contains(s.log.String(), `msg="server of an upstream is unhealthy: it gets no requests" route=one server=`+host(well)+` reason="it answers 418 I'm a teapot"`)
	})
	ill.Store(false)
	eventually(t, "one is well", func() bool { return strings.Contains(up(), "one "+host(well)+" true") })
	eventually(t, "the log says so", func() bool {
		return strings.Contains(s.log.String(), `msg="server of an upstream is well again" route=one server=`+host(well))
	})
	if n := strings.Count(s.log.String(), "is unhealthy"); n != 1 {
		t.Errorf("the log says %d times that a server is unhealthy", n)
	}
}
